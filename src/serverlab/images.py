"""Every image of the lab: which there are, whether they are fresh, and building those that are not."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serverlab.base import ensure_base
from serverlab.errors import UsageError
from serverlab.progress import Say, step
from serverlab.reach import build_options
from serverlab.shell import Shell, run_checked

APP = "app"
PREFIX = "serverlab/"
TAG = "dev"
LABEL = "org.serverlab"
INPUTS_LABEL = "org.serverlab.inputs"
LOG_FOLDER = "results/logs"

IGNORED = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"})

CONTINUATION = re.compile(r"\\\r?\n(?:[ \t]*#[^\n]*\n)*")
COPY = re.compile(r"^(?:COPY|ADD)\s+(?P<rest>.+)$", re.IGNORECASE | re.MULTILINE)
BIND = re.compile(r"--mount=type=bind,(?P<options>\S+)")


@dataclass(frozen=True, slots=True)
class ImageSource:
    """What an image is built from: its name, and its Dockerfile's path below the repository."""

    name: str
    dockerfile: str

    @property
    def tag(self) -> str:
        """Return the reference under which the engine knows the image."""
        return f"{PREFIX}{self.name}:{TAG}"


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """An image the engine has: its tag, content id (sha256), size, and the hash of what it was built from."""

    tag: str
    id: str
    size_bytes: int
    inputs: str | None = None


def find_sources(root: Path) -> dict[str, ImageSource]:
    """Return every image of the repository by name, in the order they are built: the app first, then its users."""
    found = [ImageSource(APP, "app/Dockerfile")] if (root / "app/Dockerfile").exists() else []
    found += [
        ImageSource(path.parent.name, path.relative_to(root).as_posix())
        for path in sorted(root.glob("deploy/*/Dockerfile"))
    ]
    for name, dockerfile in (("postgres", "compose/postgres/Dockerfile"), ("load", "loadtests/Dockerfile")):
        if (root / dockerfile).exists():
            found.append(ImageSource(name, dockerfile))
    return {source.name: source for source in found}


def inspect_images(shell: Shell, tags: Iterable[str]) -> dict[str, ImageFacts]:
    """Return the facts of those images the engine has, by the tag that was asked for."""
    wanted = list(tags)
    answer = shell.run(["docker", "image", "inspect", *wanted])  # exit code 1 when any is absent
    facts: dict[str, ImageFacts] = {}
    for image in json.loads(answer.stdout or "[]"):
        for tag in set(wanted) & set(image.get("RepoTags") or ()):
            facts[tag] = _facts(tag, image)
    return facts


def ensure_images(
    shell: Shell,
    root: Path,
    say: Say,
    *,
    names: Iterable[str] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, ImageFacts]:
    """Return the facts of the named images (all when None) by name, after building those whose sources changed.

    The base image and the app come first, as the others are built from them. The log of each build is left in
    results/logs/build-NAME.log. Raises UsageError for an unknown name, EnvironmentLacks when no base image can be had,
    and CommandFailed with the last lines of the log when a build fails.
    """
    sources = _chosen(find_sources(root), names)
    base = ensure_base(shell, say, environment=environment)
    have = inspect_images(shell, [base, *(source.tag for source in sources)])
    ids = {base: have[base].id if base in have else base}
    built: dict[str, ImageFacts] = {}
    for number, source in enumerate(sources, start=1):
        arguments = {"BASE_IMAGE": base, "APP_IMAGE": f"{PREFIX}{APP}:{TAG}"}
        inputs = inputs_hash(root, source, arguments=arguments, parent_ids=ids)
        facts = have.get(source.tag)
        if facts is None or facts.inputs != inputs:
            with step(say, f"image {number}/{len(sources)} {source.name}: building"):
                _build(shell, root, source, arguments=arguments, inputs=inputs, environment=environment)
            facts = _replace(shell, source, old=facts)
        ids[source.tag] = facts.id
        built[source.name] = facts
    return built


def inputs_hash(
    root: Path, source: ImageSource, *, arguments: Mapping[str, str], parent_ids: Mapping[str, str]
) -> str:
    """Return a hash over everything that decides what the image holds.

    That is its Dockerfile, the files of the context it copies or mounts, the build arguments, and the ids of those
    parent images it is built from.
    """
    text = (root / source.dockerfile).read_text(encoding="utf-8")
    digest = hashlib.sha256(text.encode())
    for name, value in sorted(arguments.items()):
        if name in text:
            digest.update(f"{name}={value}@{parent_ids.get(value, '')}\n".encode())
    for path in _files(root, context_paths(text)):
        digest.update(f"{path.relative_to(root)} {path.stat().st_mode & 0o111}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def context_paths(dockerfile: str) -> tuple[str, ...]:
    """Return what a Dockerfile takes from its build context: sources of COPY and ADD, and of bind mounts."""
    text = CONTINUATION.sub(" ", dockerfile)
    paths: set[str] = set()
    for match in COPY.finditer(text):
        words = match["rest"].split()
        flags = [word for word in words if word.startswith("--")]
        if not any(flag.startswith("--from=") for flag in flags):
            paths.update(word for word in words[len(flags) : -1])
    for match in BIND.finditer(text):
        options = dict(pair.split("=", 1) for pair in match["options"].split(",") if "=" in pair)
        if "from" not in options:
            paths.add(options.get("source") or options.get("src") or ".")
    return tuple(sorted(paths))


def _chosen(sources: dict[str, ImageSource], names: Iterable[str] | None) -> list[ImageSource]:
    wanted = set(sources if names is None else names)
    if unknown := sorted(wanted - set(sources)):
        raise UsageError(f"No such image: {', '.join(unknown)}.", f"There are: {', '.join(sources)}.")
    return [source for source in sources.values() if source.name in wanted | {APP}]


def _files(root: Path, patterns: Iterable[str]) -> list[Path]:
    found: set[Path] = set()
    for pattern in patterns:
        for path in root.glob(pattern.strip("/").removeprefix("./") or "*"):
            found.update(path.rglob("*") if path.is_dir() else [path])
    return sorted(path for path in found if path.is_file() and not IGNORED & set(path.parts))


def _build(
    shell: Shell,
    root: Path,
    source: ImageSource,
    *,
    arguments: Mapping[str, str],
    inputs: str,
    environment: Mapping[str, str],
) -> None:
    log = root / LOG_FOLDER / f"build-{source.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    context = shell.run(["docker", "context", "show"]).stdout.strip() or "default"
    with log.open("w", encoding="utf-8") as out, build_options(shell, environment) as options:

        def keep(line: str) -> None:
            print(line, file=out, flush=True)

        command = ["docker", "buildx", "build", f"--builder={context}", "--load", "--progress=plain"]
        command += [f"--file={source.dockerfile}", f"--tag={source.tag}"]
        command += [f"--label={LABEL}=image", f"--label={INPUTS_LABEL}={inputs}", *options]
        command += [f"--build-arg={name}={value}" for name, value in arguments.items()]
        run_checked(
            shell,
            [*command, "."],
            cwd=root,
            what=f"The image {source.name} ({source.dockerfile}) could not be built",
            hint=f"The whole log is {log}.",
            on_line=keep,
            on_error_line=keep,
        )


def _replace(shell: Shell, source: ImageSource, *, old: ImageFacts | None) -> ImageFacts:
    """Return the facts of a new image; the one it replaces is removed unless something still uses it."""
    new = inspect_images(shell, [source.tag])[source.tag]
    if old is not None and old.id != new.id:
        shell.run(["docker", "image", "rm", old.id])
    return new


def _facts(tag: str, image: Mapping[str, Any]) -> ImageFacts:
    labels = image.get("Config", {}).get("Labels") or {}
    return ImageFacts(tag, str(image["Id"]), int(image["Size"]), labels.get(INPUTS_LABEL))
