"""The container engine: use the one that answers, else install and start the distribution's own."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from serverlab import debian
from serverlab.errors import CommandFailed, EnvironmentLacks
from serverlab.progress import Say, step
from serverlab.shell import Completed, Shell, run_checked

MINIMUM_API = (1, 44)
"""Engine 25: the first whose health checks have a start interval."""

ANSWER_TIMEOUT_S = 20.0

TRIXIE_ONLY = ("docker.io", "docker-cli", "docker-compose", "docker-buildx")
"""What Debian 12 must take from the next release; its own are engine 20.10 and the dead Compose v1."""

OWN_PACKAGES = ("containerd", "runc", "iptables", "debootstrap")

INSTALL_HINT = (
    "Install Docker Engine 25 or newer with the Compose v2 and Buildx plugins "
    "(docs.docker.com/engine/install), start it, and check that `docker info` answers."
)


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """A working engine: its version and API version, and those of the client's two plugins."""

    version: str
    api_version: str
    compose_version: str
    buildx_version: str


@dataclass(frozen=True, slots=True)
class Machine:
    """Where an engine may be installed and started; tests hand in a folder of their own as `root`."""

    root: Path = Path("/")
    is_superuser: bool = os.geteuid() == 0
    docker_host: str | None = os.environ.get("DOCKER_HOST")
    start_deadline_s: float = 60.0

    @property
    def has_systemd(self) -> bool:
        """Tell whether systemd really runs, as sd_booted(3) does."""
        return (self.root / "run/systemd/system").is_dir()


def ensure_engine(shell: Shell, say: Say, machine: Machine | None = None) -> EngineFacts:
    """Return the facts of an engine that answers, after installing and starting one where that is possible.

    An engine that answers is used as it is. Otherwise, on Debian or Ubuntu as root, the distribution's packages are
    installed and the daemon is started; it goes on when the lab ends. Raises EnvironmentLacks with what to install
    anywhere else, when this user may not use the engine, or when engine, Compose or Buildx are too old.
    """
    machine = machine or Machine()
    answer = ask(shell)
    if not answer.ok:
        _refuse_what_cannot_be_mended(answer, machine)
        if not _has_daemon(shell):
            install(shell, say, machine)
        _start(shell, say, machine)
    return inspect_engine(shell)


def ask(shell: Shell) -> Completed:
    """Ask the engine for its version; exit code 0 means that a daemon answered."""
    return shell.run(["docker", "version", "--format", "{{json .Server}}"], timeout_s=ANSWER_TIMEOUT_S)


def inspect_engine(shell: Shell) -> EngineFacts:
    """Return the facts of the engine that answers.

    Raises EnvironmentLacks when none answers or when the engine, Compose or Buildx are missing or too old.
    """
    answer = ask(shell)
    server = json.loads(answer.stdout or "null") if answer.ok else None
    if server is None:
        raise EnvironmentLacks(f"No container engine answers: {_last_line(answer)}", INSTALL_HINT)
    api_version = str(server.get("ApiVersion", "0"))
    if _numbers(api_version) < MINIMUM_API:
        raise EnvironmentLacks(
            f"The container engine is {server.get('Version')} (API {api_version}); the lab needs 25 (API 1.44).",
            INSTALL_HINT,
        )
    return EngineFacts(
        version=str(server.get("Version")),
        api_version=api_version,
        compose_version=_compose_version(shell),
        buildx_version=_buildx_version(shell),
    )


def install(shell: Shell, say: Say, machine: Machine) -> None:
    """Install engine, Compose, Buildx and debootstrap from the distribution.

    On Debian 12 a second package source for Debian 13 is left behind, pinned so low that nothing else comes from it.
    Raises EnvironmentLacks where this is not Debian 12+ or Ubuntu 22.04+, or the user is not root.
    """
    release = debian.read_release(machine.root)
    packages = _packages_for(release)
    if packages is None:
        raise EnvironmentLacks(
            f"No container engine answers, and on {release.title} the lab installs none.", INSTALL_HINT
        )
    if not machine.is_superuser:
        raise EnvironmentLacks(
            "No container engine answers, and installing one needs root.",
            f"Run `make engine` once as root, or: {INSTALL_HINT}",
        )
    if _needs_newer_suite(release):
        _add_newer_suite(say, machine, release)
    apt(shell, say, ["update"], "engine: reading the package lists")
    apt(
        shell,
        say,
        ["install", "--yes", "--no-install-recommends", *packages],
        "engine: installing " + ", ".join(packages),
    )


def apt(shell: Shell, say: Say, arguments: list[str], title: str) -> None:
    """Run apt-get without questions, waiting for another one that holds the lock; raises CommandFailed."""
    with step(say, title):
        run_checked(
            shell,
            ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments],
            env={"DEBIAN_FRONTEND": "noninteractive"},
            hint="apt-get could not do this; mend what it names and call the same command again.",
        )


def _refuse_what_cannot_be_mended(answer: Completed, machine: Machine) -> None:
    if "permission denied" in answer.stderr.lower():
        raise EnvironmentLacks(
            "There is a container engine, but this user may not use it.",
            "Add the user to the group that owns the engine's socket (`sudo usermod -aG docker $USER`, then "
            "log in again), or use a rootless engine.",
        )
    if machine.docker_host:
        raise EnvironmentLacks(
            f"DOCKER_HOST is {machine.docker_host}, and no engine answers there: {_last_line(answer)}",
            "Start that engine, or unset DOCKER_HOST to use this machine's own.",
        )


def _packages_for(release: debian.Release) -> tuple[str, ...] | None:
    if release.distribution == "debian" and release.version == 12:
        return (*(f"{name}/{debian.SUITE}" for name in TRIXIE_ONLY), *OWN_PACKAGES)
    if release.distribution == "debian" and (release.version >= 13 or release.version == 0):
        return (*TRIXIE_ONLY, *OWN_PACKAGES)
    if release.distribution == "ubuntu" and release.version >= 22:
        return ("docker.io", "docker-compose-v2", "docker-buildx", *OWN_PACKAGES)
    return None


def _needs_newer_suite(release: debian.Release) -> bool:
    return release.distribution == "debian" and release.version == 12


def _add_newer_suite(say: Say, machine: Machine, release: debian.Release) -> None:
    sources = debian.moved_to(debian.SUITE, debian.read_sources(machine.root), codename=release.codename)
    if debian.main_mirror(sources, suite=debian.SUITE) is None:
        raise EnvironmentLacks(
            f"/etc/apt names no source of {release.codename} main, so none of {debian.SUITE} can be made.",
            INSTALL_HINT,
        )
    etc = machine.root / "etc/apt"
    say(f"engine: adding a package source for {debian.SUITE}, pinned so low that nothing else comes from it")
    _write(etc / f"preferences.d/serverlab-{debian.SUITE}", debian.pinned(debian.SUITE))
    _write(etc / f"sources.list.d/serverlab-{debian.SUITE}.sources", debian.as_deb822(sources))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _has_daemon(shell: Shell) -> bool:
    return shell.run(["dockerd", "--version"], timeout_s=ANSWER_TIMEOUT_S).ok


def _start(shell: Shell, say: Say, machine: Machine) -> None:
    if not machine.is_superuser:
        raise EnvironmentLacks("The container engine does not run, and starting it needs root.", INSTALL_HINT)
    log = machine.root / "var/log/serverlab-dockerd.log"
    with step(say, "engine: starting dockerd"):
        if machine.has_systemd:
            run_checked(shell, ["systemctl", "start", "docker"], hint="`journalctl -u docker` says more.")
        elif not _runs_already(machine):
            shell.start(["dockerd", "--pidfile", str(machine.root / "var/run/docker.pid")], log=log)
        _wait_for_answer(shell, log, within_s=machine.start_deadline_s)


def _runs_already(machine: Machine) -> bool:
    """Tell whether the daemon of the pid file lives; a stale file, as a reboot leaves it, is removed."""
    pid_file = machine.root / "var/run/docker.pid"
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
        name = (machine.root / f"proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        name = ""
    if name == "dockerd":
        return True
    pid_file.unlink(missing_ok=True)
    return False


def _wait_for_answer(shell: Shell, log: Path, *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not (answer := ask(shell)).ok:
        if time.monotonic() > deadline:
            tail = (
                log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:] if log.exists() else []
            )
            raise CommandFailed(
                f"The container engine did not answer within {within_s:g} s: {_last_line(answer)}"
                + "".join(f"\n  | {line}" for line in tail),
                f"Its log is {log}.",
            )
        time.sleep(0.25)


def _compose_version(shell: Shell) -> str:
    answer = shell.run(["docker", "compose", "version", "--short"], timeout_s=ANSWER_TIMEOUT_S)
    version = answer.stdout.strip().removeprefix("v")
    if not answer.ok or _numbers(version) < (2,):
        raise EnvironmentLacks(
            "`docker compose version` does not answer with Compose v2.",
            "Install the Compose v2 plugin (Debian 13: docker-compose, Ubuntu: docker-compose-v2).",
        )
    return version


def _buildx_version(shell: Shell) -> str:
    answer = shell.run(["docker", "buildx", "version"], timeout_s=ANSWER_TIMEOUT_S)
    if not answer.ok:
        raise EnvironmentLacks(
            "`docker buildx version` does not answer.", "Install the docker-buildx package."
        )
    words = answer.stdout.split()
    return words[1].removeprefix("v") if len(words) > 1 else answer.stdout.strip()


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.removeprefix("v").split("-")[0].split("+")[0].split(".")
    return tuple(int(part) for part in parts if part.isdigit())


def _last_line(answer: Completed) -> str:
    lines = [line for line in (answer.stderr or answer.stdout).splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"exit code {answer.returncode}"
