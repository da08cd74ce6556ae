"""What a Dockerfile takes from its build context, and a hash of exactly that."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

CONTINUATION = re.compile(r"\\\r?\n(?:[ \t]*#[^\n]*\n)*")
COPY = re.compile(r"^(?:COPY|ADD)\s+(?P<rest>.+)$", re.IGNORECASE | re.MULTILINE)
BIND = re.compile(r"--mount=type=bind,(?P<options>\S+)")


def files_of(root: Path, dockerfile: str) -> tuple[Path, ...]:
    """Return the files below `root` that the text of a Dockerfile copies or mounts, without those of .dockerignore."""
    ignore = root / ".dockerignore"
    rules = read_rules(ignore.read_text(encoding="utf-8") if ignore.exists() else "")
    found: set[Path] = set()
    for pattern in taken_paths(dockerfile):
        for path in root.glob(pattern) if pattern else [root]:
            found.update(path.rglob("*") if path.is_dir() else [path])
    return tuple(
        sorted(
            path
            for path in found
            if path.is_file() and not is_ignored(path.relative_to(root).as_posix(), rules)
        )
    )


def hash_of(root: Path, paths: Iterable[Path]) -> str:
    """Return a hash over the names, the executable bits and the contents of files below `root`."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(root).as_posix()} {path.stat().st_mode & 0o111:o}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def taken_paths(dockerfile: str) -> tuple[str, ...]:
    """Return the sources of COPY, ADD and bind mounts, as glob patterns below the context; "" is all of it.

    Of a mounted folder only those files count that the Dockerfile names, if it names any: so that a change of
    one server's requirements does not make every image stale.
    """
    text = CONTINUATION.sub(" ", dockerfile)
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    paths: set[str] = set()
    for match in COPY.finditer(text):
        words = [word for word in match["rest"].split() if not word.startswith("--")]
        if "--from=" not in match["rest"]:
            paths.update(words[:-1])
    for match in BIND.finditer(text):
        options = dict(pair.split("=", 1) for pair in match["options"].split(",") if "=" in pair)
        if "from" not in options:
            paths.update(_mounted(options, text))
    return tuple(sorted({_below_root(path) for path in paths}))


def read_rules(text: str) -> tuple[tuple[re.Pattern[str], bool], ...]:
    """Return the rules of a .dockerignore: what each matches, and whether that is ignored (or, after "!", kept)."""
    lines = [line.strip() for line in text.splitlines()]
    return tuple(
        (_pattern(line.removeprefix("!").strip().strip("/")), not line.startswith("!"))
        for line in lines
        if line and not line.startswith("#")
    )


def is_ignored(path: str, rules: tuple[tuple[re.Pattern[str], bool], ...]) -> bool:
    """Tell whether a path (relative, with "/") is ignored: the last rule that matches it or a folder above decides."""
    names = [path, *(parent.as_posix() for parent in PurePosixPath(path).parents)]
    verdict = False
    for pattern, ignores in rules:
        if any(pattern.fullmatch(name) for name in names):
            verdict = ignores
    return verdict


def _mounted(options: dict[str, str], text: str) -> set[str]:
    source = _below_root(options.get("source") or options.get("src") or "")
    target = (options.get("target") or options.get("dst") or options.get("destination") or "").rstrip("/")
    named = set(re.findall(rf"(?<![\w/.]){re.escape(target)}/([\w.-]+)", text)) if target else set()
    return {f"{source}/{name}".strip("/") for name in named} or {source}


def _below_root(path: str) -> str:
    return PurePosixPath("/", path).as_posix().strip("/")


def _pattern(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]+\])", glob)
    spelled = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "".join(spelled.get(part, part if part.startswith("[") else re.escape(part)) for part in parts)
    )
