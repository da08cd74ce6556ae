"""Whether the containers of a stack keep the container contract: asked inside of them and of the engine."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serverlab.attacks import scripts
from serverlab.attacks.stage import UNSERVED, Attack, Outcome, Stage
from serverlab.attacks.visitor import judged
from serverlab.compose import LABEL, SERVICE_LABEL, Container, is_secret, secrets_of
from serverlab.model.records import Check
from serverlab.probe import READY_DEADLINE_S, READY_PAUSE_S

WRITABLE = {"/tmp", "/data", "/dev/shm", "/dev/mqueue"}  # noqa: S108 - a container's own
CLEAN_EXITS = (0, 143)
"""By itself, or by SIGTERM's own effect; 137 would be the engine's patience at its end."""

GRACE_S = 35
FORK_LIMITS = {"app": 512, "edge": 64}
OPEN_FILES = 16_384
ULIMITS = [{"Name": "nofile", "Hard": OPEN_FILES, "Soft": OPEN_FILES}]
"""What every container's limits of the kernel are, as the engine tells them."""

LITERAL_SECRET = re.compile(
    r"(?i)\b[A-Z_]*(SECRET|PASSWORD|TOKEN|JWT_KEY|API_KEY|CREDENTIAL)[A-Z_]*=[\"']?[A-Za-z0-9+/_.-]{8,}"
)
ILL = re.compile("health: .+")
"""All that app/health.py says of a server that is not well; where it breaks off itself, it says more."""

PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def each_container(
    check: Callable[[Stage, Container], Iterator[Check]], seen: str
) -> Callable[[Stage], Outcome]:
    """An attack that asks the same of every container of the stack; ``seen`` is what is said if all is right.

    All are asked at once: none shares its processes, its files or their limits with another.
    """

    def asked(stage: Stage) -> Outcome:
        # one that another row has started belongs to no service
        asked_of = [each for each in stage.engine.containers() if SERVICE_LABEL in each.labels]
        with ThreadPoolExecutor(len(asked_of) or 1) as pool:
            told = list(pool.map(lambda container: list(check(stage, container)), asked_of))
        return judged([each for checks in told for each in checks], seen=seen)

    return asked


def _said(container: Container, script: str, *arguments: str) -> str:
    """What a script for the container's own Python prints.

    Raises:
        OSError: it failed.
    """
    done = container.exec_run(["python3", "-I", "-c", script, *arguments])
    text: str = done.output.decode(errors="replace").strip()
    if done.exit_code:
        raise OSError(f"{container.name}: {text[-200:]}")
    return text


def _processes(container: Container) -> list[dict[str, list[str]]]:
    found: list[dict[str, list[str]]] = json.loads(_said(container, scripts.STATUS))
    return found


def _check(container: Container, what: str, *, ok: bool, detail: object) -> Check:
    return Check(name=f"{_service(container)}, {what}", ok=ok, detail=str(detail))


def _service(container: Container) -> str:
    return str(container.labels[SERVICE_LABEL])


def users(stage: Stage, container: Container) -> Iterator[Check]:  # noqa: ARG001
    """K-01."""
    user = container.attrs["Config"]["User"]
    found = {uid for process in _processes(container) for uid in process["Uid"]}
    yield _check(container, "user", ok=bool(re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)), detail=user or "root")
    yield _check(container, "user ids", ok="0" not in found, detail=", ".join(sorted(found)))


def read_only(stage: Stage, container: Container) -> Iterator[Check]:  # noqa: ARG001
    """K-02."""
    mounted = set(container.attrs["HostConfig"]["Tmpfs"] or {}) | {
        mount["Destination"] for mount in container.attrs["Mounts"]
    }
    found = {
        folder
        for folder in _said(container, scripts.FOLDERS).split()
        if not _below(folder, WRITABLE | mounted)
    }
    yield _check(
        container, "read-only root", ok=container.attrs["HostConfig"]["ReadonlyRootfs"], detail="set"
    )
    yield _check(container, "writable folders", ok=not found, detail=", ".join(sorted(found)) or "no others")


def _below(folder: str, parents: set[str]) -> bool:
    return any(folder == parent or folder.startswith(f"{parent}/") for parent in parents)


def capabilities(stage: Stage, container: Container) -> Iterator[Check]:  # noqa: ARG001
    """K-03."""
    found = {
        mask for process in _processes(container) for name in ("CapEff", "CapBnd") for mask in process[name]
    }
    limits = container.attrs["HostConfig"]
    yield _check(
        container, "capabilities", ok={int(mask, 16) for mask in found} == {0}, detail=", ".join(found)
    )
    yield _check(container, "cap_drop", ok=limits["CapDrop"] == ["ALL"], detail=limits["CapDrop"])
    yield _check(container, "cap_add", ok=not limits["CapAdd"], detail=limits["CapAdd"])


def privileges(stage: Stage, container: Container) -> Iterator[Check]:  # noqa: ARG001
    """K-04."""
    flags = {flag for process in _processes(container) for flag in process["NoNewPrivs"]}
    found = _said(container, scripts.PRIVILEGED).split()
    yield _check(container, "no new privileges", ok=flags == {"1"}, detail=", ".join(flags))
    yield _check(container, "setuid files", ok=not found, detail=", ".join(found) or "none")


def limits(stage: Stage, container: Container) -> Iterator[Check]:
    """K-05: each container's limits, the same for all servers, and that forking ends at them."""
    found = container.attrs["HostConfig"]
    service = _service(container)
    memory, cpus = found["Memory"], found["NanoCpus"] / 1e9
    yield _check(container, "memory", ok=0 < memory == found["MemorySwap"], detail=f"{memory >> 20} MiB")
    yield _check(
        container, "cores", ok=found["CpusetCpus"] == stage.settings.split.stack, detail=found["CpusetCpus"]
    )
    yield _check(container, "open files", ok=found["Ulimits"] == ULIMITS, detail=found["Ulimits"])
    if service in FORK_LIMITS:
        yield _check(
            container, "processes", ok=found["PidsLimit"] == FORK_LIMITS[service], detail=found["PidsLimit"]
        )
        forked, _, why = _said(container, scripts.FORKS).partition(" ")
        right = why == "EAGAIN" and int(forked) < FORK_LIMITS[service]
        yield _check(container, "forks", ok=right, detail=f"{forked}, then {why}")
    if service == "app":
        yield _check(container, "memory of a server", ok=memory == 1 << 30, detail=f"{memory >> 20} MiB")
        yield _check(container, "CPUs", ok=cpus == stage.settings.cpus, detail=cpus)


def health(stage: Stage) -> Outcome:
    """K-06."""
    return judged(
        [each for container in stage.engine.containers("app") for each in _health_checks(container)],
        seen="well, then ill while it is stopped, then well",
    )


def _health_checks(container: Container) -> Iterator[Check]:
    test = container.attrs["Config"]["Healthcheck"]["Test"]
    command = test[1:]
    (well, _), (ill, words) = json.loads(_said(container, scripts.FROZEN, *command))
    again = _until_well(container, command)
    yield _check(
        container, "command", ok=test[0] == "CMD" and "/app/health.py" in test, detail=" ".join(test)
    )
    yield _check(container, "exit codes", ok=(well, ill) == (0, 1), detail=f"{well}, {ill}")
    said_so = bool(ILL.fullmatch(words))
    yield _check(container, "words while stopped", ok=said_so, detail=repr(words[-100:]))
    yield _check(container, "afterwards", ok=again, detail="well" if again else "ill")


def _until_well(container: Container, command: list[str]) -> bool:
    give_up = time.monotonic() + 10
    while container.exec_run(command).exit_code:
        if time.monotonic() > give_up:
            return False
        time.sleep(READY_PAUSE_S)
    return True


def image_secrets(stage: Stage, container: Container) -> Iterator[Check]:
    """K-07: the image as the engine describes it; its layers are searched by a test of their own."""
    image = container.image
    description = {
        "environment": "\n".join(image.attrs["Config"].get("Env") or ()),
        "labels": "\n".join(f"{name}={value}" for name, value in image.labels.items()),
        "history": "\n".join(str(step.get("CreatedBy")) for step in image.history()),
    }
    secrets = [secret for secret in stage.settings.secrets().values() if secret]
    for name, text in description.items():
        found = secret_in(text) or next(("a key of this stack" for secret in secrets if secret in text), None)
        yield _check(container, name, ok=found is None, detail=found or "none")


def secret_in(text: str) -> str | None:
    """The first thing in a text that looks like a secret with its value: its name only."""
    if PRIVATE_KEY.search(text):
        return "a private key"
    literal = LITERAL_SECRET.search(text)
    return literal[0].partition("=")[0] if literal else None


def leftovers(stage: Stage, container: Container) -> Iterator[Check]:  # noqa: ARG001
    """K-08: what building leaves behind in images that are not careful."""
    command = "find /var/lib/apt/lists /var/cache/apt/archives /run/secrets -type f -size +0 2>/dev/null"
    mounted = {mount["Destination"] for mount in container.attrs["Mounts"]}
    found = sorted({*container.exec_run(["sh", "-c", command]).output.decode().split()} - mounted)[:5]
    tag = container.attrs["Config"]["Image"]
    yield _check(container, "caches", ok=not found, detail=", ".join(found) or "none")
    yield _check(
        container, "tag", ok=tag.startswith("serverlab/") and not tag.endswith(":latest"), detail=tag
    )


def processes(stage: Stage, container: Container) -> Iterator[Check]:  # noqa: ARG001
    """K-09, while it runs."""
    config = container.attrs["Config"]
    names = {process["Name"][0] for process in _processes(container)} - {"python3"}
    entry = config["Entrypoint"] or []
    yield _check(container, "entry point", ok=bool(entry) and "sh" not in entry[0].split("/"), detail=entry)
    yield _check(
        container, "no shell", ok=not names & {"sh", "bash", "dash"}, detail=", ".join(sorted(names))
    )
    yield _check(container, "init", ok=container.attrs["HostConfig"]["Init"] is True, detail="set")
    yield _check(container, "stop signal", ok=bool(config.get("StopSignal")), detail=config.get("StopSignal"))


def stopping(stage: Stage) -> Outcome:
    """K-09, how it ends: a second container like the server's is started, told to stop, and watched.

    How long that takes counts only beside the engine's patience, at whose end the exit code is another, too.
    """
    running = each_container(processes, "no shell, an init, a stop signal")(stage)
    if running.reason or stage.settings.target.edge:
        return running
    model = stage.engine.service("app")
    other = _like(stage, model)
    try:
        _until_healthy(other, model.attrs["Config"]["Healthcheck"]["Test"][1:])
        before = time.monotonic()
        other.stop(timeout=GRACE_S)
        took_s = time.monotonic() - before
        code = int(other.wait(timeout=GRACE_S)["StatusCode"])
    finally:
        other.remove(force=True, v=True)
    quick = Check(name="time", ok=took_s < GRACE_S, detail=f"{took_s:.1f} s")
    clean = Check(name="exit code", ok=code in CLEAN_EXITS, detail=f"exit code {code}")
    return judged([quick, clean], seen=f"no shell; stops with {code}", measured={"stopped_after_s": took_s})


def _like(stage: Stage, model: Container) -> Container:
    config = model.attrs["Config"]
    return stage.engine.client.containers.run(
        config["Image"],
        detach=True,
        init=True,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        tmpfs={"/tmp": "mode=1777"},  # noqa: S108 - the container's own
        mounts=secrets_of(model),
        volumes=["/data"],  # a volume without a name is filled from the image, and removed with the container
        network_mode="none",
        environment=config["Env"],
        labels={LABEL: stage.settings.label},
    )


def _until_healthy(container: Container, command: list[str]) -> None:
    give_up = time.monotonic() + READY_DEADLINE_S
    while container.exec_run(command).exit_code:
        if time.monotonic() > give_up:
            raise OSError(
                f"{container.name} did not start: {container.logs().decode(errors='replace')[-300:]}"
            )
        time.sleep(READY_PAUSE_S)


def isolation(stage: Stage, container: Container) -> Iterator[Check]:  # noqa: ARG001
    """K-10."""
    host: dict[str, Any] = container.attrs["HostConfig"]
    known = ("volume", "tmpfs")
    mounts = [each for each in container.attrs["Mounts"] if each["Type"] not in known and not is_secret(each)]
    ports = container.attrs["NetworkSettings"]["Ports"].values()
    addresses = {bound["HostIp"] for each in ports for bound in each or ()}
    filters = {flag for process in _processes(container) for flag in process["Seccomp"]}
    spaces = {name: host[name] for name in ("NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode")}
    shared = [f"{name}={mode}" for name, mode in spaces.items() if mode == "host"]
    yield _check(container, "privileged", ok=not host["Privileged"], detail=host["Privileged"])
    yield _check(container, "name spaces", ok=not shared, detail=", ".join(shared) or "its own")
    yield _check(
        container, "mounts", ok=not mounts, detail=", ".join(each["Source"] for each in mounts) or "none"
    )
    yield _check(container, "seccomp", ok=filters == {"2"}, detail=", ".join(filters))
    yield _check(container, "devices", ok=not host["Devices"], detail=host["Devices"] or "none")
    yield _check(
        container, "published on", ok=addresses <= {"127.0.0.1"}, detail=", ".join(addresses) or "nothing"
    )


ATTACKS = (
    Attack("K-01", "who processes are", "nobody is root", each_container(users, "nobody is root")),
    Attack(
        "K-02",
        "writing in every folder",
        "refused but where memory or a volume is mounted",
        each_container(read_only, "refused"),
        beside=UNSERVED,
    ),
    Attack("K-03", "capabilities", "none at all", each_container(capabilities, "none")),
    Attack("K-04", "new privileges, setuid files", "neither", each_container(privileges, "neither")),
    Attack(
        "K-05",
        "limits; forking without end",
        "the same for all servers; EAGAIN",
        each_container(limits, "the same; EAGAIN"),
    ),
    Attack(
        "K-06",
        "health while all processes are stopped",
        "ill, and well again afterwards",
        health,
        beside=UNSERVED,
        waits_s=2.0,
    ),
    Attack(
        "K-07",
        "secrets in image, history, labels",
        "none",
        each_container(image_secrets, "none"),
    ),
    Attack("K-08", "what building left behind", "nothing", each_container(leftovers, "nothing")),
    Attack(
        "K-09",
        "process 1, and how it stops",
        "no shell; stops in time with 0 or 143",
        stopping,
        beside=UNSERVED,
        waits_s=1.0,
    ),
    Attack(
        "K-10",
        "the engine's socket, the host's name spaces, ports",
        "out of reach",
        each_container(isolation, "out of reach"),
    ),
)
