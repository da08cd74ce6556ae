"""Stacks: a target's containers, started by Docker Compose and found again by our label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests.exceptions
from docker.types import Mount

from serverlab import secretfiles
from serverlab.errors import CommandFailed, EnvironmentLacks, LabError, TrialFailed
from serverlab.logs import Container, exit_code, follow, log_lines, tails, whole_lines
from serverlab.model.stacks import EQUAL, Cache, Database, StackSettings
from serverlab.removal import DEADLINE_S, Thing, remove_all, undisturbed
from serverlab.shell import NOT_FOUND, Shell, run_checked

__all__ = [
    "BY_HAND",
    "ENGINE_ERRORS",
    "EQUAL",
    "LABEL",
    "SERVICE_LABEL",
    "Cache",
    "Container",
    "Database",
    "Engine",
    "StackDied",
    "StackSettings",
    "connect",
    "engine_failed",
    "follow",
    "is_secret",
    "log_lines",
    "secrets_of",
    "start_beside",
    "start_load",
    "start_witness",
    "tails",
    "up",
    "whole_lines",
]

LABEL = "org.serverlab"
SERVICE_LABEL = "com.docker.compose.service"
BY_HAND = "up"
"""Value of our label on a stack that `serverlab up` or `locust` started for a person."""

ENGINE_ERRORS = (docker.errors.DockerException, requests.exceptions.RequestException)
"""What docker-py raises when the engine refuses or no longer answers."""

UP_TIMEOUT_S = 180

STILL_WORKS = "Without one `compare`, `report`, `list` and `check` work."
PORT_TAKEN = ("port is already allocated", "address already in use", "ports are not available")


def engine_failed(broke: BaseException) -> bool:
    """Whether it is the engine that fails; that a container has ended or is gone is an answer of its."""
    if isinstance(broke, docker.errors.APIError):
        return broke.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
    return isinstance(broke, ENGINE_ERRORS)


class StackDied(TrialFailed):
    """A container of the stack ended by itself; ``what`` carries its last lines."""

    def __init__(self, what: str, hint: str = "See its last lines for why.") -> None:
        """Keep what happened and what to do next."""
        super().__init__(what, hint)


class Engine:
    """The container engine, asked through its API for what Compose does not tell."""

    def __init__(self, client: Container, *, secrets: Path | None = None) -> None:
        """Use the docker-py ``client``; ``secrets`` is the folder that those of a stack are kept in (None: nowhere)."""
        self.client = client
        self.secrets = secrets

    def containers(self, service: str | None = None) -> list[Container]:
        """Our containers, running or not, of all services or of one."""
        wanted = [LABEL, *([f"{SERVICE_LABEL}={service}"] if service else [])]
        return list(self.client.containers.list(all=True, filters={"label": wanted}, ignore_removed=True))

    def service(self, name: str) -> Container:
        """The one container of a service.

        Raises:
            StackDied: there is none.
        """
        found = self.containers(name)
        if not found:
            raise StackDied(f"the stack has no container {name!r}", "Look with `serverlab ps`.")
        return found[0]

    def url(self, service: str, *, port: int, scheme: str = "http") -> str:
        """The published address of a container's port."""
        container = self.service(service)
        container.reload()
        bound = container.attrs["NetworkSettings"]["Ports"].get(f"{port}/tcp")
        if not bound:
            raise StackDied(f"container {service} publishes no port {port}{tails(self.dead())}")
        return f"{scheme}://127.0.0.1:{bound[0]['HostPort']}"

    def processes(self, service: str) -> dict[int, str]:
        """The command lines of all processes in all containers of a service, by the engine's process ids.

        Raises:
            StackDied: one of the containers does not run.
        """
        found: dict[int, str] = {}
        for container in self.containers(service):
            try:
                top = container.top(ps_args="-eo pid,args")
            except docker.errors.APIError as refused:
                why = refused.explanation or refused
                raise StackDied(f"{container.name} shows no processes: {why}{tails(self.dead())}") from None
            pid, command = top["Titles"].index("PID"), top["Titles"].index("COMMAND")
            found |= {int(row[pid]): row[command] for row in top["Processes"]}
        return found

    def dead(self) -> list[Container]:
        """Our containers that have ended with an error."""
        return [
            each for each in self.containers() if each.status in ("exited", "dead") and exit_code(each) != 0
        ]

    def labels(self) -> set[str]:
        """The values that our label has on anything of ours: the runs that left something, if only a volume."""
        return {_label_of(thing) for things in self._things() for thing, _ in things}

    def remove_all(self, *, deadline_s: float = DEADLINE_S) -> list[str]:
        """Remove every container, network and volume that carries our label, and its secrets; return their names.

        Ctrl-C does not cut it short. It looks again until nothing is found, because an engine may still finish what an
        interrupted command asked of it; for the same reason what is refused is tried again.

        Raises:
            EnvironmentLacks: the engine still refuses after the deadline; with what it said.
        """
        with undisturbed():
            removed = remove_all(self._things, deadline_s=deadline_s)
            if self.secrets:
                secretfiles.remove(self.secrets)
        return removed

    def _things(self) -> Iterator[list[Thing]]:
        """All that is ours, with how it is removed; what a list holds is looked for when the one before is gone.

        Those of a list may go in any order, all at once: containers, then what only containers hold.
        """
        yield [(each, {"force": True, "v": True}) for each in self.containers()]
        wanted = {"label": LABEL}
        networks, volumes = (
            self.client.networks.list(filters=wanted),
            self.client.volumes.list(filters=wanted),
        )
        yield [*((each, {}) for each in networks), *((each, {"force": True}) for each in volumes)]


def _label_of(thing: Container) -> str:
    """The value of our label; docker-py tells those of containers only, others have them among their attributes."""
    labels = thing.labels if hasattr(thing, "labels") else thing.attrs["Labels"]
    return str(labels.get(LABEL))


def connect(shell: Shell) -> Engine:
    """The engine that the ``docker`` command talks to.

    Raises:
        EnvironmentLacks: it does not answer, or this user may not use it.
    """
    context = shell.run(
        ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], timeout_s=20
    )
    if context.returncode == NOT_FOUND:
        raise _unreachable("there is no `docker` command on the PATH")
    host = context.stdout.strip() if context.ok else ""
    try:
        client = docker.DockerClient(base_url=host or None, timeout=60)
        client.ping()
    except docker.errors.DockerException as refused:
        raise _unreachable(f"{refused}") from None
    return Engine(client, secrets=secretfiles.FOLDER)


def _unreachable(said: str) -> EnvironmentLacks:
    if "permission denied" in said.lower():
        return EnvironmentLacks(
            "there is a container engine, but this user may not use it",
            "Add the user to the group that owns the engine's socket, then log in again (`serverlab doctor`).",
        )
    hint = "Run `make engine`, or start Docker; `serverlab doctor` tells what is wrong. "
    return EnvironmentLacks(f"the container engine does not answer: {said}", hint + STILL_WORKS)


def up(
    shell: Shell,
    engine: Engine,
    root: Path,
    settings: StackSettings,
    *,
    held: Mapping[str, str] | None = None,
) -> None:
    """Start the stack's containers and return when Compose says that they run (not yet that they are ready).

    With the variables of a generator in ``held`` its container is started just before the app's, and asks nobody until
    it is let go (`serverlab.held`).

    Raises:
        StackDied: a container ended while the others waited for it.
        EnvironmentLacks: a port is taken, or an image is not there.
    """
    try:
        files = [*settings.files(), *([] if held is None else ["load.yml", "held.yml"])]
        arguments = ["up", "--detach", "--no-build", "--pull", "never"]
        _compose(
            shell, root, settings, files, arguments, variables={**(held or {}), **_kept(engine, settings)}
        )
    except CommandFailed as failed:
        raise _explained(failed, engine, settings) from None


def _kept(engine: Engine, settings: StackSettings) -> dict[str, str]:
    """Write the secrets of the stack; the variable that says where they are."""
    if engine.secrets is None:
        return {}
    secretfiles.write(engine.secrets, settings.secrets())
    return {"LAB_SECRETS": str(engine.secrets)}


def secrets_of(container: Container) -> list[Mount]:
    """How the container's secrets are mounted, for another one like it."""
    return [
        Mount(each["Destination"], each["Source"], type="bind", read_only=True)
        for each in container.attrs["Mounts"]
        if is_secret(each)
    ]


def is_secret(mount: Mapping[str, Any]) -> bool:
    """Whether a mount of a container is a file with a secret, which the container can only read."""
    return mount["Type"] == "bind" and mount["Destination"].startswith("/run/secrets/") and not mount["RW"]


def start_load(
    shell: Shell, root: Path, settings: StackSettings, variables: Mapping[str, str], *, web: bool = False
) -> None:
    """Start the generator's container beside the running stack."""
    files = ["load.yml", *(["locust.yml"] if web else [])]
    start_beside(shell, root, settings, files=files, service="load", variables=variables)


def start_beside(
    shell: Shell,
    root: Path,
    settings: StackSettings,
    *,
    files: Iterable[str],
    service: str,
    variables: Mapping[str, str],
) -> None:
    """Start one more service beside the running stack, which is left as it is; ``files`` are laid over the stack's."""
    arguments = ["up", "--detach", "--no-build", "--pull", "never", "--no-deps", "--no-recreate", service]
    _compose(shell, root, settings, [*settings.files(), *files], arguments, variables=variables)


def start_witness(shell: Shell, root: Path, settings: StackSettings) -> None:
    """Start the container of the other generators beside the running stack; it waits to be told what to measure."""
    start_beside(shell, root, settings, files=["witness.yml"], service="witness", variables={})


def _compose(
    shell: Shell,
    root: Path,
    settings: StackSettings,
    files: list[str],
    arguments: list[str],
    *,
    variables: Mapping[str, str] | None = None,
) -> None:
    chosen = [part for name in files for part in ("--file", str(root / "compose" / name))]
    argv = ["docker", "compose", "--progress", "quiet", *chosen, *arguments]
    environment = {**settings.variables(), **(variables or {})}
    run_checked(shell, argv, env=environment, timeout_s=UP_TIMEOUT_S, what=f"starting {settings.target}")


def _explained(failed: CommandFailed, engine: Engine, settings: StackSettings) -> LabError:
    if any(sign in failed.what for sign in PORT_TAKEN):
        hint = "End what listens there, or take any free ones: `serverlab up --port auto --tls-port auto`."
        return EnvironmentLacks(f"{settings.target}: a port is taken\n{failed.what}", hint)
    if "No such image" in failed.what or "pull access denied" in failed.what:
        return EnvironmentLacks(
            f"{settings.target}: an image is missing\n{failed.what}", "Run `make images`."
        )
    if "bind source path does not exist" in failed.what:
        return EnvironmentLacks(
            f"{settings.target}: the engine does not see {engine.secrets}, where the secrets are\n{failed.what}",
            "Take an engine that runs on this machine.",
        )
    dead = engine.dead()
    return StackDied(f"{settings.target} did not start{tails(dead)}") if dead else failed
