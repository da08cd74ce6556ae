"""Whether two builds of an image hold the same files, and what each image is made of."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from serverlab.base import ensure_base
from serverlab.imagefiles import Contents, differing, read_contents
from serverlab.images import PREFIX, ImageSource, build_again, ensure_images, find_sources
from serverlab.model.base import FORMAT
from serverlab.model.inventories import ImageInventory, Inventory
from serverlab.progress import Say, step
from serverlab.shell import Shell, run_checked

AGAIN = "again"
NO_VULNERABILITY_LIST = "to count them takes a fresh list from the internet, which the lab does not fetch"


def compare_builds(
    shell: Shell,
    root: Path,
    say: Say,
    *,
    names: Iterable[str] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, list[str]]:
    """Build each named image (all when None) twice from nothing; return by name a line for each path that differs.

    Nothing of it is left behind. Times of files do not count. What an image is built from is the same both times.
    """
    sources = find_sources(root)
    wanted = list(sources if names is None else names)
    ensure_images(shell, root, say, names=wanted, environment=environment)
    base = ensure_base(shell, say, environment=environment)
    found: dict[str, list[str]] = {}
    for name in wanted:
        with step(say, f"image {name}: building twice"):
            found[name] = build_twice(shell, root, sources[name], base=base, environment=environment)
    return found


def build_twice(
    shell: Shell, root: Path, source: ImageSource, *, base: str, environment: Mapping[str, str] = os.environ
) -> list[str]:
    """Return one line for each path that is not the same in two builds without a cache."""
    tag = f"{PREFIX}{source.name}:{AGAIN}"

    def built() -> Contents:
        try:
            build_again(shell, root, source, version=AGAIN, base=base, environment=environment)
            return contents_of(shell, tag)
        finally:
            shell.run(["docker", "image", "rm", tag])

    return differing(built(), built())


def take_inventory(
    shell: Shell,
    root: Path,
    say: Say,
    *,
    compared: Mapping[str, list[str]] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Inventory:
    """Return what every image holds, after building those whose sources changed.

    ``compared`` is what compare_builds found of those images that were built twice.
    """
    differing = {name: len(found) for name, found in (compared or {}).items()}
    images = ensure_images(shell, root, say, environment=environment)
    counted = []
    for name, facts in images.items():
        contents = contents_of(shell, facts.id)
        counted.append(
            ImageInventory(
                name=name,
                size_bytes=facts.size_bytes,
                debian_packages=contents.debian_packages,
                python_packages=contents.python_packages,
                differing_paths=differing.get(name),
            )
        )
    return Inventory(
        format=FORMAT,
        base=ensure_base(shell, say, environment=environment),
        known_vulnerabilities=None,
        vulnerabilities_note=NO_VULNERABILITY_LIST,
        images=tuple(counted),
    )


def contents_of(shell: Shell, reference: str) -> Contents:
    """Return what the image holds; the container that is made for that is never started, and removed."""
    created = run_checked(
        shell, ["docker", "create", "--label=org.serverlab=contents", reference]
    ).stdout.strip()
    try:
        with tempfile.TemporaryDirectory(prefix="serverlab-contents-") as scratch:
            archive = Path(scratch) / "files.tar"
            run_checked(shell, ["docker", "export", f"--output={archive}", created])
            return read_contents(archive)
    finally:
        shell.run(["docker", "rm", "--force", created])
