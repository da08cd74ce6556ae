"""Small records for tests: every argument that a test does not name has a plain value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import msgspec

from serverlab.model.ceilings import Ceilings
from serverlab.model.definitions import Arrival, Experiment, ReferenceScope, Workload
from serverlab.model.records import (
    Check,
    CoreSplit,
    Environment,
    Failure,
    ImageFacts,
    Latency,
    LoadResult,
    Plan,
    PlannedTrial,
    Proof,
    State,
    Trial,
)
from serverlab.model.runs import Problem, Run
from serverlab.model.usage import Usage

GTHREAD = "gunicorn:gthread"
RUNSERVER = "runserver:threaded"
UWSGI = "uwsgi:http"

WINDOW_S = 10.0


def a_workload(**changes: Any) -> Workload:
    """16 users without think time, 10 s."""
    plain: dict[str, Any] = {
        "format": 1,
        "title": "Profile",
        "description": "JWT verified, user read",
        "arrival": Arrival.CLOSED,
        "users": 16,
        "warmup_s": 2.0,
        "duration_s": WINDOW_S,
        "timeout_s": 10.0,
    }
    return Workload(**plain | changes)


def an_experiment(**changes: Any) -> Experiment:
    """Gunicorn (the reference) and runserver, five rounds of ``profile`` on one core, no controls."""
    plain: dict[str, Any] = {
        "format": 1,
        "title": "Quick",
        "question": "How fast are they?",
        "targets": (GTHREAD, RUNSERVER),
        "workloads": ("profile",),
        "reference": GTHREAD,
        "reference_scope": ReferenceScope.RUN,
        "rounds": 5,
        "seed": 7,
        "cpus": (1,),
        "control": False,
    }
    return Experiment(**plain | changes)


def planned(
    target: str = GTHREAD,
    *,
    round: int = 1,  # noqa: A002 - the word of the plan
    workload: str = "profile",
    cpus: int = 1,
    control: bool = False,
) -> PlannedTrial:
    """One planned trial, with an id as the plan gives it."""
    name = f"r{round:02}-{workload}-c{cpus}-{target}{'-control' if control else ''}".replace(":", ".")
    return PlannedTrial(id=name, round=round, workload=workload, cpus=cpus, target=target, control=control)


def a_plan(
    *,
    name: str = "quick",
    skipped: dict[str, str] | None = None,
    workload: Workload | None = None,
    **changes: Any,
) -> Plan:
    """The plan of ``an_experiment(**changes)``, every workload of it being ``workload``."""
    experiment = an_experiment(**changes)
    left_out = skipped or {}
    return Plan(
        name=name,
        experiment=experiment,
        workloads={each: workload or a_workload() for each in experiment.measured_workloads()},
        trials=tuple(
            planned(target, round=number, workload=each, cpus=cpus)
            for number, target, each, cpus in product(
                range(1, experiment.rounds + 1),
                experiment.targets,
                experiment.measured_workloads(),
                experiment.cpus,
            )
            if f"{target} {each}" not in left_out
        ),
        skipped=left_out,
        hashes={"experiment": "e" * 64},
    )


def with_controls(plan: Plan) -> Plan:
    """The plan with a second trial of each reference in every round."""
    experiment = plan.experiment
    again = tuple(
        msgspec.structs.replace(each, id=f"{each.id}-control", control=True)
        for each in plan.trials
        if each.target == experiment.reference or each.workload in experiment.comparisons
    )
    return msgspec.structs.replace(plan, trials=plan.trials + again)


def an_environment(**changes: Any) -> Environment:
    """A clean checkout on two cores, stack and generator apart."""
    plain: dict[str, Any] = {
        "run": "20261122-101500",
        "started_at": "2026-11-22T10:15:00+00:00",
        "lab_version": "0.1.0",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "kernel": "6.1.0",
        "os": "Debian GNU/Linux 12",
        "cpu_model": "Example CPU",
        "cores": 2,
        "memory_bytes": 8 * 2**30,
        "cgroup": "v2",
        "engine": "26.1.5",
        "compose": "2.26.1",
        "python": "3.11.7",
        "database": "sqlite",
        "core_splits": {"1": CoreSplit(stack="0", generator="1", disjoint=True)},
        "images": {"gunicorn": ImageFacts(id="sha256:1", size_bytes=300_000_000)},
        "equal": {"memory": "1 GiB", "keep-alive": "75 s"},
    }
    return Environment(**plain | changes)


def a_latency(
    count: int = 4000, *, p50_us: int = 30_000, factor: float = 1.0, mean_us: float | None = None
) -> Latency:
    """A tidy distribution around ``p50_us``, which is the mean too unless told otherwise."""
    return Latency(
        count=count,
        p50_us=p50_us,
        p95_us=round(p50_us * 1.5 * factor),
        p99_us=round(p50_us * 2 * factor),
        max_us=round(p50_us * 4 * factor),
        mean_us=float(p50_us) if mean_us is None else mean_us,
    )


NO_LATENCY = Latency(count=0, p50_us=None, p95_us=None, p99_us=None, max_us=None, mean_us=None)


def a_failure(count: int, *, kind: str = "status", status: int | None = 503) -> Failure:
    """So many failures of one kind."""
    return Failure(name="GET /api/auth/jwt/me/", kind=kind, status=status, count=count, example="503 for GET")


def a_load(
    rps: float = 400.0, *, window_s: float = WINDOW_S, failures: Sequence[Failure] = (), **changes: Any
) -> LoadResult:
    """What the generator saw of ``rps`` successful requests per second."""
    ok, failed = round(rps * window_s), sum(each.count for each in failures)
    plain: dict[str, Any] = {
        "users": 16,
        "window_start": 1000.0,
        "window_end": 1000.0 + window_s,
        "ended": ok + failed,
        "ok": ok,
        "late": 16,
        "body_bytes": ok * 100,
        "failures": tuple(failures),
        "latency": a_latency(ok, mean_us=changes.get("users", 16) / rps * 1e6 if rps else None),
        "latency_failed": a_latency(failed) if failed else NO_LATENCY,
        "by_name": {"GET /api/auth/jwt/me/": a_latency(ok)},
        "versions": {"locust": "2.47.0", "python": "3.13.5"},
    }
    return LoadResult(**plain | changes)


def a_usage(cores: float, *, memory_mb: float = 100.0, window_s: float = WINDOW_S) -> Usage:
    """What containers used that kept ``cores`` cores busy."""
    return Usage(
        cpu_s=cores * window_s,
        memory_peak_bytes=round(memory_mb * 1e6),
        throttled_s=0.0,
        samples=int(window_s),
    )


def a_proof(**identity: str) -> Proof:
    """A proof that passed."""
    stated = {"django": "5.2.19", "python": "3.13.5", "password_hasher": "md5"} | identity
    checks = (Check(name="right answers", ok=True, detail="200"),)
    return Proof(checks=checks, workers=2, server_version="27.0.1", identity=stated)


def a_trial(target: str = GTHREAD, *, round: int = 1, rps: float = 400.0, **changes: Any) -> Trial:  # noqa: A002
    """A valid trial; ``workload``, ``cpus`` and ``control`` go to its plan, other changes to the record itself."""
    cell = {key: changes.pop(key) for key in ("workload", "cpus", "control") if key in changes}
    plain: dict[str, Any] = {
        "planned": planned(target, round=round, **cell),
        "state": State.MEASURED,
        "void_reasons": (),
        "started_at": "2026-11-22T10:16:00+00:00",
        "wall_s": 15.0,
        "replicas": 1,
        "ready_s": 1.5,
        "image_bytes": 300_000_000,
        "proof_before": a_proof(),
        "proof_after": a_proof(),
        "load": a_load(rps),
        "usage": {"app": a_usage(0.95), "load": a_usage(0.3, memory_mb=60)},
        "load_average": 1.2,
        "steal_share": 0.0,
    }
    return Trial(**plain | changes)


def a_void_trial(target: str = GTHREAD, *, reasons: tuple[str, ...], **changes: Any) -> Trial:
    """A trial whose numbers, though there, must not be used."""
    return a_trial(target, state=State.VOID, void_reasons=reasons, **changes)


def trials(target: str, *rates: float, **changes: Any) -> list[Trial]:
    """One valid trial per rate, for rounds 1, 2, ..."""
    return [a_trial(target, round=number, rps=rate, **changes) for number, rate in enumerate(rates, start=1)]


def controls(target: str, *rates: float, **changes: Any) -> list[Trial]:
    """One valid control per rate, for rounds 1, 2, ..."""
    return trials(target, *rates, control=True, **changes)


def a_run(
    *groups: Iterable[Trial],
    plan: Plan | None = None,
    environment: Environment | None = None,
    problems: tuple[Problem, ...] = (),
    ceilings: Ceilings | None = None,
) -> Run:
    """The run of ``plan`` with all these trials."""
    plan, environment = plan or a_plan(), environment or an_environment()
    return Run(
        name=f"{plan.name}/{environment.run}",
        plan=plan,
        environment=environment,
        trials=tuple(trial for group in groups for trial in group),
        problems=problems,
        ceilings=ceilings or Ceilings(),
    )
