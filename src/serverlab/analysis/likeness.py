"""What two runs do not have in common: what forbids to compare them, and what is worth knowing beside the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import msgspec

from serverlab.analysis.evidence import middle_speed
from serverlab.analysis.suspicions import SLOW_CORE
from serverlab.errors import UsageError
from serverlab.formatting import ABSENT, gibibytes, one_line, significant
from serverlab.model.definitions import Target, Workload
from serverlab.model.records import Environment, ImageFacts
from serverlab.model.regressions import Differing
from serverlab.model.runs import Run

SHORT = 12
"""How many characters of a hash are told."""

JUDGED_ONLY = {"format", "title", "description", "needs", "thresholds", "variants"}
"""Fields of a workload that say nothing about the load."""

Statement = dict[str, str]
"""What is stated, by what it is about."""


def unlike(base: Run, new: Run) -> tuple[Differing, ...]:
    """What should be the same in two runs that are compared, and is not.

    Machine, database, cache, equal terms and generator; and of the workloads and budgets that both have: files, load
    settings and core splits. The machine counts as another one also where its cores ran at another speed.
    """
    workloads = sorted(base.plan.workloads.keys() & new.plan.workloads.keys())
    budgets = sorted({*base.plan.experiment.cpus} & {*new.plan.experiment.cpus})
    stated = [
        {
            **_machine(run.environment),
            **(_core_speed(run) if _far_apart(base, new) else {}),
            **{f"equal for all: {key}": value for key, value in run.environment.equal.items()},
            **_splits(run.environment, budgets),
            **_workload_files(run, workloads),
            **_loads(run, workloads),
            **(_generator(run) if base.trials and new.trials else {}),
        }
        for run in (base, new)
    ]
    return compared(*stated)


def differing(base: Run, new: Run) -> tuple[Differing, ...]:
    """What may differ between two runs that are worth comparing: the lab's commit, and all that is put to the test.

    What only one of them has is left out.
    """
    stated = [
        {**({} if _far_apart(base, new) else _core_speed(run)), **_made_with(run), **_tested(run)}
        for run in (base, new)
    ]
    return _in_both(*stated)


def other_versions(base: Run, new: Run) -> tuple[Differing, ...]:
    """Versions of servers, Django and Python that both runs state, and that are not the same."""
    return _in_both(*({**_server_versions(run), **_app_versions(run)} for run in (base, new)))


def refuse_differing(base: str, new: str, found: Sequence[Differing], *, hint: str) -> None:
    """Raise UsageError where anything is ``found`` that should be the same in the two runs, which are named."""
    if found:
        raise UsageError("\n".join([f"{base} and {new} are unlike:", *(f"  {each}" for each in found)]), hint)


def compared(base: Statement, new: Statement) -> tuple[Differing, ...]:
    """All that is not stated alike; what only one of them states is absent in the other."""
    whats = dict.fromkeys((*base, *new))
    return tuple(
        Differing(what=what, base=one_line(base.get(what, ABSENT)), new=one_line(new.get(what, ABSENT)))
        for what in whats
        if base.get(what) != new.get(what)
    )


def _in_both(base: Statement, new: Statement) -> tuple[Differing, ...]:
    both = base.keys() & new.keys()
    return tuple(each for each in compared(base, new) if each.what in both)


def _machine(environment: Environment) -> Statement:
    return {
        "CPU model": environment.cpu_model,
        "cores": str(environment.cores),
        "memory": f"{gibibytes(environment.memory_bytes)} GiB",
        "operating system": environment.os,
        "kernel": environment.kernel,
        "cgroup": environment.cgroup,
        "engine": environment.engine,
        "database": environment.database,
        "cache": environment.cache or ABSENT,
    }


def _splits(environment: Environment, budgets: Iterable[int]) -> Statement:
    splits = {cpus: environment.core_splits.get(str(cpus)) for cpus in budgets}
    return {
        f"CPUs for a budget of {cpus}": f"stack {split.stack}, generator {split.generator}"
        for cpus, split in splits.items()
        if split is not None
    }


def _workload_files(run: Run, workloads: Iterable[str]) -> Statement:
    names = dict.fromkeys(["shared", *(name.partition(":")[0] for name in workloads)])
    return {
        f"files of workload {name}": run.plan.hashes[f"workload/{name}"][:SHORT]
        for name in names
        if f"workload/{name}" in run.plan.hashes
    }


def _loads(run: Run, workloads: Iterable[str]) -> Statement:
    return {
        f"{name}: {field}": said(getattr(run.plan.workloads[name], field))
        for name, field in product(workloads, Workload.__struct_fields__)
        if field not in JUDGED_ONLY
    }


def said(value: object) -> str:
    """A setting as people wrote it, or nearly so."""
    if value is None:
        return ABSENT
    return value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')


def _generator(run: Run) -> Statement:
    """The versions that the generator stated, empty where no trial has any."""
    found: dict[str, set[str]] = {}
    for trial in run.trials:
        for name, version in trial.load.versions.items() if trial.load else ():
            found.setdefault(name, set()).add(version)
    return {f"generator's {name}": "/".join(sorted(versions)) for name, versions in sorted(found.items())}


def _core_speed(run: Run) -> Statement:
    middle = middle_speed(run.trials)
    return {"core speed": f"{significant(middle)} million turns per CPU second"} if middle else {}


def _far_apart(base: Run, new: Run) -> bool:
    """Whether the core of one run would count as slowed down in the other; not so where it was not read."""
    first, second = middle_speed(base.trials), middle_speed(new.trials)
    return first is not None and second is not None and min(first, second) < max(first, second) * SLOW_CORE


def _made_with(run: Run) -> Statement:
    environment = run.environment
    dirty = {None: " (changes unknown)", True: " with uncommitted changes", False: ""}[environment.dirty]
    return {
        "started": environment.started_at,
        "lab": environment.lab_version,
        "commit": (environment.commit or ABSENT)[:SHORT] + dirty,
        "Compose": environment.compose,
        "lab's Python": environment.python,
        "rounds": str(run.plan.experiment.rounds),
        "seed": str(run.plan.experiment.seed),
    }


def _tested(run: Run) -> Statement:
    hashes = {key: value for key, value in run.plan.hashes.items() if not key.startswith("workload/")}
    return {
        **{f"files of {key}": value[:SHORT] for key, value in sorted(hashes.items())},
        **_images(run.environment.images),
        **_server_versions(run),
    }


def _images(images: Mapping[str, ImageFacts]) -> Statement:
    return {
        f"image {name}": facts.id.removeprefix("sha256:")[:SHORT] for name, facts in sorted(images.items())
    }


def _server_versions(run: Run) -> Statement:
    found: dict[str, set[str]] = {}
    for trial in run.trials:
        if trial.proof_before is not None and trial.proof_before.server_version:
            server = Target.parse(trial.planned.target).server
            found.setdefault(server, set()).add(trial.proof_before.server_version)
    return {f"version of {server}": "/".join(sorted(versions)) for server, versions in sorted(found.items())}


def _app_versions(run: Run) -> Statement:
    found: dict[str, set[str]] = {}
    for trial in run.trials:
        identity = trial.proof_before.identity if trial.proof_before else {}
        for key, name in (("django", "Django"), ("python", "Python in the containers")):
            if identity.get(key):
                found.setdefault(name, set()).add(identity[key])
    return {name: "/".join(sorted(versions)) for name, versions in sorted(found.items())}
