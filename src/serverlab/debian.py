"""Debian and Ubuntu: which release this is, where it gets its packages from, and how to add a newer suite safely.

No mirror is written down here: every address is read from the machine's own package sources at run time.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

SUITE = "trixie"
"""Debian 13: the release whose engine, Python and servers the lab is built on."""

PIN_PRIORITY = 50
"""Below the 100 of what is installed: apt takes a package from the added suite only when it is named with it."""


@dataclass(frozen=True, slots=True)
class Release:
    """A Linux distribution's release, from os-release: its id, numeric version (0 when rolling) and code name."""

    distribution: str
    version: int
    codename: str
    title: str


@dataclass(frozen=True, slots=True)
class Source:
    """One package source: where it is, which suites of it are used, and the key that signs it."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str | None = None


def read_release(root: Path = Path("/")) -> Release:
    """Return which release runs below `root`; one named "unknown" when it does not say."""
    path = root / "etc/os-release"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    pairs = dict(word.split("=", 1) for word in shlex.split(text, comments=True) if "=" in word)
    major = pairs.get("VERSION_ID", "").split(".")[0]
    return Release(
        distribution=pairs.get("ID", "unknown"),
        version=int(major) if major.isdigit() else 0,
        codename=pairs.get("VERSION_CODENAME", ""),
        title=pairs.get("PRETTY_NAME", "an unknown system"),
    )


def read_sources(root: Path = Path("/")) -> tuple[Source, ...]:
    """Return every enabled binary package source of the machine below `root`, in the order of apt's files."""
    apt = root / "etc/apt"
    lists = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]
    stanzas = sorted((apt / "sources.list.d").glob("*.sources"))
    found: list[Source] = []
    for path in lists:
        if path.exists():
            found.extend(_one_line_sources(path.read_text(encoding="utf-8")))
    for path in stanzas:
        found.extend(_deb822_sources(path.read_text(encoding="utf-8")))
    return tuple(found)


def moved_to(suite: str, sources: tuple[Source, ...], *, codename: str) -> tuple[Source, ...]:
    """Return the distribution's own sources with release `codename` replaced by `suite`: same mirror, same key.

    Suites of other projects and backports are left out, and so is what the sources hold of `suite` twice.
    """
    moved: list[Source] = []
    for source in sources:
        suites = tuple(
            dict.fromkeys(
                suite + name.removeprefix(codename)
                for name in source.suites
                if name in {codename, f"{codename}-updates", f"{codename}-security"}
            )
        )
        if suites and "main" in source.components:
            moved.append(replace(source, suites=suites, components=("main",)))
    return tuple(dict.fromkeys(moved))


def main_mirror(sources: tuple[Source, ...], *, suite: str) -> Source | None:
    """Return the first source on the web that holds `suite` itself (not its updates or security), or None."""
    return next((each for each in sources if suite in each.suites and each.uri.startswith("http")), None)


def as_deb822(sources: tuple[Source, ...]) -> str:
    """Return the text of a `.sources` file."""
    stanzas = []
    for source in sources:
        lines = [
            "Types: deb",
            f"URIs: {source.uri}",
            f"Suites: {' '.join(source.suites)}",
            f"Components: {' '.join(source.components)}",
        ]
        lines += [f"Signed-By: {source.signed_by}"] if source.signed_by else []
        stanzas.append("\n".join(lines) + "\n")
    return "\n".join(stanzas)


def pinned(suite: str) -> str:
    """Return the text of an apt preferences file that keeps `suite` out of every upgrade."""
    return f"Package: *\nPin: release n={suite}*\nPin-Priority: {PIN_PRIORITY}\n"


def _one_line_sources(text: str) -> Iterator[Source]:
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].strip()
        if not line.startswith("deb "):
            continue
        options, rest = _split_options(line.removeprefix("deb ").strip())
        words = rest.split()
        if len(words) >= 2:
            yield Source(words[0], (words[1],), tuple(words[2:]), options.get("signed-by"))


def _split_options(rest: str) -> tuple[dict[str, str], str]:
    if not rest.startswith("["):
        return {}, rest
    inside, _, after = rest[1:].partition("]")
    return dict(word.split("=", 1) for word in inside.split() if "=" in word), after


def _deb822_sources(text: str) -> Iterator[Source]:
    for stanza in _stanzas(text):
        if "deb" not in stanza.get("types", "").split() or stanza.get("enabled", "yes").lower() == "no":
            continue
        key = stanza.get("signed-by", "")
        for uri in stanza.get("uris", "").split():
            yield Source(
                uri,
                tuple(stanza.get("suites", "").split()),
                tuple(stanza.get("components", "").split()),
                key if key.startswith("/") else None,
            )


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
        elif line.startswith("#"):
            continue
        elif line[0] in " \t":
            fields[name] = f"{fields.get(name, '')} {line.strip()}".strip()
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
