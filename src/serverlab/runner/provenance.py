"""Where and with what a run is made, so that unlike runs can be told apart."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from serverlab import __version__, host
from serverlab.compose import EQUAL, Cache, Database
from serverlab.model.records import CoreSplit, Environment, ImageFacts, Plan
from serverlab.runner.run import Describe, Lab
from serverlab.shell import Shell

EQUAL_WORDS = {
    "LAB_MEMORY": "memory of each container",
    "LAB_TIMEOUT": "request time-out, where the server has one, in seconds",
    "LAB_KEEPALIVE": "idle keep-alive, where the server has one, in seconds",
    "LAB_ACCESS_LOG": "access log",
    "LAB_CHEAP_HASHER": "cheap password hasher",
    "LAB_LOGIN_LIMITS": "limits on log-in attempts",
}


def describer(
    lab: Lab,
    *,
    images: Mapping[str, ImageFacts],
    database: Database,
    cache: Cache = Cache.DATABASE,
    plan: Plan | None = None,
) -> Describe:
    """A function that describes a run made now with these images, this database and this cache.

    What a workload of the plan sets for itself is not said to be equal for all.
    """
    differing = {name for workload in plan.workloads.values() for name in workload.app} if plan else set()

    def describe(run: str, splits: Mapping[str, CoreSplit]) -> Environment:
        facts = host.read_host(lab.shell, Path("/"))
        commit, dirty = _commit(lab.shell, lab.root)
        return Environment(
            run=run,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            lab_version=__version__,
            commit=commit,
            dirty=dirty,
            kernel=facts.kernel,
            os=facts.os,
            cpu_model=facts.cpu_model,
            cores=len(facts.cores),
            memory_bytes=facts.memory_bytes,
            cgroup=facts.cgroup,
            engine=facts.engine,
            compose=lab.shell.run(["docker", "compose", "version", "--short"]).stdout.strip(),
            python=platform.python_version(),
            database=database.value,
            cache=cache.value,
            core_splits=dict(splits),
            images=dict(images),
            seed=plan.experiment.seed if plan else None,
            hashes=dict(plan.hashes) if plan else {},
            clock_source=facts.clock_source,
            equal={EQUAL_WORDS[key]: value for key, value in EQUAL.items() if key not in differing},
        )

    return describe


def _commit(shell: Shell, root: Path) -> tuple[str | None, bool | None]:
    """The checked-out commit and whether what is measured differs from it; results and docs are not measured."""
    head = shell.run(["git", "rev-parse", "HEAD"], cwd=root)
    measured = ["app", "deploy", "compose", "loadtests", "experiments", "requirements", "src"]
    changes = shell.run(["git", "status", "--porcelain", "--", *measured], cwd=root)
    if not head.ok or not changes.ok:
        return None, None
    return head.stdout.strip(), bool(changes.stdout.strip())
