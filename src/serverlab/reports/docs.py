"""Tables, figures and definitions of the docs, rendered between markers from the files that they are about.

``<!-- table: results/... workload=profile cpus=1 edge=none columns=rps,ratio --> ... <!-- /table -->`` holds one
section, or all that fit where a key is left out. ``<!-- figure: results/... target=... value=rps -->123<!-- /figure
-->`` holds one number within a sentence. The others stand alone: ``attacks`` (with ``only=A1``) against servers, and
``measured`` what they measured; ``http`` what targets make of odd requests; ``failures`` (``only=F-2``) faults
against targets, ``matrix`` the same of all runs below a folder together, ``fault`` (``fault=F-01``) what one of them
cost, ``timeline`` (``fault=F-01 target=gunicorn:gthread``) the picture of a cell, which is a file of its own; with
``server=gunicorn`` ``attacks``, ``http`` and ``failures`` are about that one, every variant of it, in brief;
``capacity`` what a search found, or the searches in several folders together; ``agreement`` (``again=results/...``)
the ratios of two runs of the same; ``crosscheck`` what other generators saw; ``images`` what the images are made of;
``bench`` how fast the lab itself is; ``claims: claims`` all popular sentences with their verdicts, ``claim: NAME``
one of them; ``definition: server gunicorn`` what a definition says.
Markers in code are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from serverlab.errors import UsageError
from serverlab.reports.markers import render_marker
from serverlab.reports.results import Results

KINDS = (
    "table|figure|agreement|definition|attacks|http|failures|matrix|fault|timeline|measured|capacity|crosscheck|bench"
    "|images|claims|claim"
)
MARKER = re.compile(
    r"(?P<fence>^[ \t]*(?P<tick>```+|~~~+)[^\n]*\n.*?(?:^[ \t]*(?P=tick)[^\n]*$|\Z))"
    r"|(?P<code>`[^`\n]+`)"
    rf"|(?P<opening><!--\s*(?P<kind>{KINDS}):(?P<arguments>(?:(?!-->).)*)-->)"
    rf"(?P<body>(?:(?!<!--\s*(?:{KINDS}):).)*?)(?P<closing><!--\s*/(?P=kind)\s*-->)"
    rf"|(?P<stray><!--\s*(?:/(?:{KINDS})\s*-->|(?:{KINDS}):))",
    re.DOTALL | re.MULTILINE,
)
LINE_START = re.compile(r"[ \t]*(?:(?:[-*+>]|\d+[.)])[ \t]+)*")
"""What may stand before a block of HTML on its line."""


def render_docs(paths: Iterable[Path], root: Path) -> list[Path]:
    """Write what the result files below ``root`` say between the markers, and pictures; return what changed.

    Raises:
        UsageError: a marker cannot be rendered; all such markers are listed and no file is changed.
    """
    changed = {path: text for path, (old, text) in _rendered(paths, root).items() if text != old}
    for path, text in changed.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(changed)


def stale(paths: Iterable[Path], root: Path) -> list[Path]:
    """The files that hold something else than the result files say between their markers or, of pictures, at all.

    Raises:
        UsageError: a marker cannot be rendered; all such markers are listed.
    """
    return [path for path, (old, text) in _rendered(paths, root).items() if text != old]


def _rendered(paths: Iterable[Path], root: Path) -> dict[Path, tuple[str | None, str]]:
    """Each page's text, and that of the pictures they refer to, as it is (None: not there) and as it should be."""
    results = Results(root)
    mistakes: list[str] = []
    found: dict[Path, tuple[str | None, str]] = {}
    for path in paths:
        name = path.relative_to(root) if path.is_relative_to(root) else path
        page = _Page(path.read_text(encoding="utf-8"), results, PurePosixPath(name.parent))
        found[path] = (page.text, page.render())
        mistakes += [f"{name}, line {line}: {mistake}" for line, mistake in page.mistakes]
    if mistakes:
        raise UsageError("\n".join(mistakes), "Mend the markers; no file was changed.")
    for path, text in results.pictures.items():
        found[path] = (path.read_text(encoding="utf-8") if path.is_file() else None, text)
    return found


@dataclass
class _Page:
    """One file while it is rendered; ``mistakes`` collects line and message of each bad marker."""

    text: str
    results: Results
    folder: PurePosixPath
    mistakes: list[tuple[int, str]] = field(default_factory=list)

    def render(self) -> str:
        return MARKER.sub(self._replace, self.text)

    def _replace(self, match: re.Match[str]) -> str:
        if match["fence"] or match["code"]:
            return match[0]
        try:
            self._check(match)
            body = render_marker(
                self.results, kind=match["kind"], arguments=match["arguments"], folder=self.folder
            )
        except UsageError as wrong:
            self.mistakes.append((self.text.count("\n", 0, match.start()) + 1, _in_one_line(wrong)))
            return match[0]
        return f"{match['opening']}{body}{match['closing']}"

    def _check(self, match: re.Match[str]) -> None:
        if match["stray"]:
            raise UsageError(f"marker {_shown(match[0])} has no counterpart")
        # Markdown takes a line that begins with a comment for HTML as a whole
        begin = self.text.rfind("\n", 0, match.start()) + 1
        if match["kind"] == "figure" and LINE_START.fullmatch(self.text, begin, match.start()):
            raise UsageError("a figure must not begin a line, because Markdown would read the line as HTML")


def _shown(marker: str) -> str:
    return f"'{marker} ...'" if marker.endswith(":") else f"'{marker}'"


def _in_one_line(error: UsageError) -> str:
    stop = "" if error.what.endswith("?") else "."
    return f"{error.what}{stop} {error.hint}" if error.hint else error.what
