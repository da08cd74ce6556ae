"""Whether a stack's secrets are handed to its containers in files, and nowhere else (row K-14)."""

from __future__ import annotations

from collections.abc import Iterator

from serverlab.attacks.containers import each_container
from serverlab.attacks.stage import Attack, Stage
from serverlab.compose import SERVICE_LABEL, Container, is_secret
from serverlab.model.records import Check

UNREADABLE = "not to be read"
ENVIRONMENTS = f"""
from pathlib import Path
for each in Path("/proc").glob("[0-9]*"):
    try:
        parent = (each / "stat").read_text().rpartition(")")[2].split()[1]
        if parent == "0" and each.name != "1":
            continue  # started from outside, as this one
        print((each / "environ").read_bytes().replace(b"\\0", b"\\n").decode(errors="replace"))
    except PermissionError:
        print("{UNREADABLE}")
    except OSError:
        pass  # it has ended
"""
"""Prints the environment of every process that the container has started, and says where it may not."""

HOLDERS = {"app", "realtime", "db"}
"""The services that are handed secrets."""


def environments(stage: Stage, container: Container) -> Iterator[Check]:
    """K-14: what the engine tells of a container, and what its processes have; files that can only be read."""
    service = str(container.labels[SERVICE_LABEL])
    done = container.exec_run(["python3", "-I", "-S", "-c", ENVIRONMENTS])
    within = done.output.decode(errors="replace")
    told = "\n".join(container.attrs["Config"]["Env"] or ())
    read = "PATH=" in within and UNREADABLE not in within
    yield Check(name=f"{service}, processes", ok=read, detail="their environments can be read")
    for where, text in {"the engine's words": told, "processes": within}.items():
        found = [name for name, secret in stage.settings.secrets().items() if secret and secret in text]
        yield Check(name=f"{service}, {where}", ok=not found, detail=", ".join(found) or "no secret")
    files = [each["Destination"] for each in container.attrs["Mounts"] if is_secret(each)]
    yield Check(name=f"{service}, files", ok=bool(files) is (service in HOLDERS), detail=", ".join(files))


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "K-14",
        "secrets in the environment of containers and processes",
        "none: they are in files",
        each_container(environments, "none"),
        profile="guarded",
    ),
)
