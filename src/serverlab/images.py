"""Every image of the lab: which there are, whether they are fresh, and building those that are not."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serverlab.base import ensure_base
from serverlab.buildcontext import files_of, hash_of
from serverlab.errors import CommandFailed, UsageError
from serverlab.model.records import ImageFacts
from serverlab.progress import Say, step
from serverlab.reach import build_options
from serverlab.shell import Shell, run_checked

APP = "app"
PREFIX = "serverlab/"
TAG = "dev"
LABEL = "org.serverlab"
INPUTS_LABEL = "org.serverlab.inputs"
LOG_FOLDER = "results/logs"
BUILD_TIMEOUT_S = 1200.0
"""How long one image may take: a build that waits for a silent registry never ends by itself."""

LAST_LINES = 50
OUT_OF_REACH = re.compile(
    r"could not resolve|name resolution|name or service not known|network is unreachable|no route to host|"
    r"connection (timed out|refused|reset)|connect(ion)? ?time-?out|read timed out|i/o timeout|deadline exceeded|"
    r"failed to establish a new connection|unable to connect|proxyerror|tls handshake timeout",
    re.IGNORECASE,
)
"""What pip, apt and BuildKit say of a registry that does not answer."""

OnFailure = Callable[[str, CommandFailed], None]
"""Called with an image's name and why it could not be built."""


@dataclass(frozen=True, slots=True)
class ImageSource:
    """What an image is built from: its name, and its Dockerfile's path below the repository."""

    name: str
    dockerfile: str
    version: str = TAG

    @property
    def tag(self) -> str:
        """Return the reference under which the engine knows the image."""
        return f"{PREFIX}{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class Present:
    """An image the engine has: its facts, and the hash of what it was built from (None when we did not build it)."""

    facts: ImageFacts
    inputs: str | None


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


def inspect_images(shell: Shell, tags: Iterable[str]) -> dict[str, Present]:
    """Return those images that the engine has, by the tag that was asked for."""
    wanted = list(tags)
    answer = shell.run(["docker", "image", "inspect", *wanted])  # exit code 1 when any is absent
    present: dict[str, Present] = {}
    for image in json.loads(answer.stdout or "[]"):
        for tag in set(wanted) & set(image.get("RepoTags") or ()):
            present[tag] = _present(image)
    return present


def ensure_images(
    shell: Shell,
    root: Path,
    say: Say,
    *,
    names: Iterable[str] | None = None,
    environment: Mapping[str, str] = os.environ,
    on_failure: OnFailure | None = None,
) -> dict[str, ImageFacts]:
    """Return the facts of the named images (all when None) by name, after building those whose sources changed.

    The base image and the app come first, as the others are built from them. The log of each build is left in
    results/logs/build-NAME.log. With ``on_failure`` an image that cannot be built is left out and the others are built
    all the same; an older one of its name is not taken for it.
    Raises UsageError for an unknown name, EnvironmentLacks when no base image can be had, and CommandFailed with the
    last lines of the log when a build fails: that of the app, or any without ``on_failure``.
    """
    sources = _chosen(find_sources(root), names)
    base = ensure_base(shell, say, environment=environment)
    have = inspect_images(shell, [base, *(source.tag for source in sources)])
    ids = {tag: image.facts.id for tag, image in have.items() if tag == base}
    built: dict[str, ImageFacts] = {}
    for number, source in enumerate(sources, start=1):
        arguments = _arguments(base)
        inputs = inputs_hash(root, source, arguments=arguments, parent_ids=ids)
        image = have.get(source.tag)
        if image is None or image.inputs != inputs:
            try:
                with step(say, f"image {number}/{len(sources)} {source.name}: building"):
                    labels = [f"--label={INPUTS_LABEL}={inputs}"]
                    _build(shell, root, source, base=base, options=labels, environment=environment)
            except CommandFailed as failed:
                if on_failure is None or source.name == APP:
                    raise
                on_failure(source.name, failed)
                continue
            image = _replace(shell, source, old=image)
        ids[source.tag] = image.facts.id
        built[source.name] = image.facts
    return built


def inputs_hash(
    root: Path, source: ImageSource, *, arguments: Mapping[str, str], parent_ids: Mapping[str, str]
) -> str:
    """Return a hash over everything that decides what the image holds.

    That is its Dockerfile, the files of the context it copies or mounts, and, as far as the Dockerfile uses them, the
    build arguments and the ids of the images they name.
    """
    text = (root / source.dockerfile).read_text(encoding="utf-8")
    used = [
        f"{name}={value}@{parent_ids.get(value, '')}"
        for name, value in sorted(arguments.items())
        if name in text
    ]
    parts = [text, *used, hash_of(root, files_of(root, text))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _chosen(sources: dict[str, ImageSource], names: Iterable[str] | None) -> list[ImageSource]:
    wanted = set(sources if names is None else names)
    if unknown := sorted(wanted - set(sources)):
        raise UsageError(f"No such image: {', '.join(unknown)}.", f"There are: {', '.join(sources)}.")
    return [source for source in sources.values() if source.name in wanted | {APP}]


def build_again(
    shell: Shell,
    root: Path,
    source: ImageSource,
    *,
    version: str,
    base: str,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Build the image from nothing, as another version, from the base and the app that are there.

    Raises CommandFailed with the last lines of the log when that fails.
    """
    again = ImageSource(source.name, source.dockerfile, version=version)
    _build(shell, root, again, base=base, options=["--no-cache"], environment=environment)


def _arguments(base: str) -> dict[str, str]:
    return {"BASE_IMAGE": base, "APP_IMAGE": f"{PREFIX}{APP}:{TAG}"}


def _build(
    shell: Shell,
    root: Path,
    source: ImageSource,
    *,
    base: str,
    options: list[str],
    environment: Mapping[str, str],
) -> None:
    log = root / LOG_FOLDER / f"build-{source.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    context = shell.run(["docker", "context", "show"]).stdout.strip() or "default"
    with log.open("w", encoding="utf-8") as out, build_options(shell, environment) as reach:
        said: list[str] = []

        def keep(line: str) -> None:
            print(line, file=out, flush=True)
            said.append(line)

        command = ["docker", "buildx", "build", f"--builder={context}", "--load", "--progress=plain"]
        command += [f"--file={source.dockerfile}", f"--tag={source.tag}", f"--label={LABEL}=image"]
        command += [*options, *reach]
        command += [f"--build-arg={name}={value}" for name, value in _arguments(base).items()]
        what = f"The image {source.name} ({source.dockerfile}) could not be built"
        try:
            run_checked(
                shell,
                [*command, "."],
                cwd=root,
                what=what,
                timeout_s=BUILD_TIMEOUT_S,
                last_lines=LAST_LINES,
                on_line=keep,
                on_error_line=keep,
            )
        except CommandFailed as failed:
            told = failed.what if failed.what.startswith(what) else f"{what}: {failed.what}"
            raise CommandFailed(told, f"{_cause(said)}The whole log is {log}.") from None


def _cause(said: Iterable[str]) -> str:
    """A sentence on a registry that was out of reach, with the line that tells so; "" where none does."""
    silent = next((line.strip() for line in said if OUT_OF_REACH.search(line)), None)
    if silent is None:
        return ""
    return f"A registry or package index is unreachable from the build ({silent}); see docs/troubleshooting.md.\n"


def _replace(shell: Shell, source: ImageSource, *, old: Present | None) -> Present:
    """Return a new image; the one it replaces is removed unless something still uses it."""
    new = inspect_images(shell, [source.tag])[source.tag]
    if old is not None and old.facts.id != new.facts.id:
        shell.run(["docker", "image", "rm", old.facts.id])
    return new


def _present(image: Mapping[str, Any]) -> Present:
    labels = image.get("Config", {}).get("Labels") or {}
    return Present(ImageFacts(id=str(image["Id"]), size_bytes=int(image["Size"])), labels.get(INPUTS_LABEL))
