"""The base image: the one that is asked for if it is here or can be pulled, else Debian bootstrapped from packages."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from serverlab import debian
from serverlab.engine import Machine, apt
from serverlab.errors import CommandFailed, EnvironmentLacks
from serverlab.progress import Say, step
from serverlab.shell import Shell, run_checked

DEFAULT_BASE = "python:3.13-slim-trixie"
BOOTSTRAPPED_BASE = "serverlab/base:trixie"

CONNECT_TIMEOUT_S = 20.0
"""How long a registry may take to answer at all; where there is none, nothing is gained by waiting longer."""

PULL_TIMEOUT_S = 120.0
"""How long a pull may take once the registry has answered."""

PACKAGES = ("ca-certificates", "python3", "python3-venv")

NOT_FOR_AN_IMAGE = ("var/lib/apt/lists", "var/cache/apt", "usr/share/man", "usr/share/locale", "var/log")
"""Folders of a bootstrapped system whose files only make an image bigger."""

BASE_HINT = (
    "Set BASE_IMAGE to an image with Python 3.13 on Debian 13 that this engine has or can pull "
    "(`docker load` brings one in by file), or run this once as root on Debian, where it can be made from packages."
)


def ensure_base(
    shell: Shell,
    say: Say,
    *,
    machine: Machine | None = None,
    environment: Mapping[str, str] = os.environ,
) -> str:
    """Return the reference of a base image that is present, after pulling or making one.

    BASE_IMAGE names it, by default the official Python image. Where that cannot be pulled, Debian is bootstrapped
    from the machine's own package mirror. Raises EnvironmentLacks where neither works, or when BASE_IMAGE was named
    and cannot be had.
    """
    named = environment.get("BASE_IMAGE", "")
    wanted = named or DEFAULT_BASE
    if has_image(shell, wanted):
        return wanted
    if not named and has_image(shell, BOOTSTRAPPED_BASE):
        return BOOTSTRAPPED_BASE
    if wanted != BOOTSTRAPPED_BASE:
        if _pull(shell, say, wanted):
            return wanted
        if named:
            raise EnvironmentLacks(f"The base image {named} is not here and cannot be pulled.", BASE_HINT)
    _bootstrap(shell, say, machine or Machine())
    return BOOTSTRAPPED_BASE


def has_image(shell: Shell, reference: str) -> bool:
    """Tell whether the engine has the image."""
    return shell.run(["docker", "image", "inspect", "--format", "{{.Id}}", reference]).ok


def _pull(shell: Shell, say: Say, reference: str) -> bool:
    say(f"base image: pulling {reference} ...")
    answers: list[str] = []
    for timeout_s in (CONNECT_TIMEOUT_S, PULL_TIMEOUT_S):
        try:
            if shell.run(["docker", "pull", reference], timeout_s=timeout_s, on_line=answers.append).ok:
                return True
            break
        except CommandFailed:
            if not answers:  # no registry answered within the time, so more time does not help
                break
    say(f"base image: {reference} cannot be pulled here")
    return False


def _bootstrap(shell: Shell, say: Say, machine: Machine) -> None:
    release = debian.read_release(machine.root)
    sources = debian.moved_to(debian.SUITE, debian.read_sources(machine.root), codename=release.codename)
    mirror = debian.main_mirror(sources, suite=debian.SUITE) if release.distribution == "debian" else None
    if mirror is None or not machine.is_superuser:
        raise EnvironmentLacks(
            "No base image can be pulled, and none can be made on this machine.", BASE_HINT
        )
    if not shell.run(["debootstrap", "--version"]).ok:
        apt(
            shell,
            say,
            ["install", "--yes", "--no-install-recommends", "debootstrap"],
            "base image: installing debootstrap",
        )
    with tempfile.TemporaryDirectory(prefix="serverlab-base-", dir=machine.root / "var/tmp") as scratch:
        system = Path(scratch) / "system"
        with step(say, f"base image: making {BOOTSTRAPPED_BASE} from {debian.SUITE}'s packages"):
            _debootstrap(shell, system, mirror)
            _trim(system, sources)
        with step(say, f"base image: importing {BOOTSTRAPPED_BASE}"):
            _import(shell, system, Path(scratch) / "system.tar")


def _debootstrap(shell: Shell, system: Path, mirror: debian.Source) -> None:
    keyring = [f"--keyring={mirror.signed_by}"] if mirror.signed_by else []
    run_checked(
        shell,
        [
            "debootstrap",
            "--variant=minbase",
            f"--include={','.join(PACKAGES)}",
            *keyring,
            debian.SUITE,
            str(system),
            mirror.uri,
        ],
        what="debootstrap",
        hint="The mirror comes from /etc/apt; check that it can be reached and holds " + debian.SUITE + ".",
    )


def _trim(system: Path, sources: tuple[debian.Source, ...]) -> None:
    """Give the system the machine's sources (with updates and security) and leave out what no image needs."""
    for name in NOT_FOR_AN_IMAGE:
        shutil.rmtree(system / name, ignore_errors=True)
        (system / name).mkdir(parents=True, exist_ok=True)
    (system / "etc/apt/sources.list").unlink(missing_ok=True)
    own = system / "etc/apt/sources.list.d/debian.sources"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(debian.as_deb822(sources), encoding="utf-8")
    (system / "etc/apt/apt.conf.d/serverlab").write_text('Acquire::Languages "none";\n', encoding="ascii")
    for source in sources:
        key = Path(source.signed_by) if source.signed_by else None
        if key and key.exists() and not (inside := system / key.relative_to("/")).exists():
            inside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(key, inside)


def _import(shell: Shell, system: Path, archive: Path) -> None:
    run_checked(
        shell,
        ["tar", "--numeric-owner", "--exclude=./dev/*", "-C", str(system), "-cf", str(archive), "."],
        what="tar",
    )
    run_checked(
        shell,
        [
            "docker",
            "import",
            "--change",
            "LABEL org.serverlab=image",
            "--change",
            "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "--change",
            'CMD ["python3"]',
            str(archive),
            BOOTSTRAPPED_BASE,
        ],
        what="docker import",
    )
