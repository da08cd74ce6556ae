"""How long `serverlab compare` takes for a run of 10,000 trials, and how much memory: ``python -m benchmarks.reading``.

The trials are those of a committed run, dealt out over the cells of a large experiment with their rates varied, and
with the numbers of each second and process, the packages and the ceilings that later runs have. Their lines are written
as a run writes them. The whole command is timed, kept on one core in a process of its own: start of Python, reading,
judging, rendering, writing.
"""

from __future__ import annotations

import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice, product
from pathlib import Path

import msgspec

from benchmarks.keeping import CHECKOUT, keep, parser_of
from serverlab import store
from serverlab.model.benchmarks import Bound
from serverlab.model.ceilings import Ceiling, LoadSetup
from serverlab.model.definitions import Experiment, Target
from serverlab.model.records import Plan, PlannedTrial, Proof, Second, Trial
from serverlab.model.runs import Run
from serverlab.model.usage import ProcessUse
from serverlab.probe import digest_of

PATTERN = CHECKOUT / "results" / "reference" / "baseline"

TRIALS = 10_000
LIMIT_S = 5.0
LIMIT_MB = 500.0

BUDGETS = (1, 2)
SEED = 20261122
SECONDS = 10
"""The longest window of the shipped workloads."""
PROCESSES = 3
PACKAGES = 30
CEILING_RPS = 4000.0
MOMENT = "2026-11-22T12:00:00+00:00"


@dataclass(frozen=True)
class Reading:
    """What one call of the command took."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each shape of run; 1 where a median is beyond a limit."""
    parser = parser_of("reading", __doc__)
    parser.add_argument(
        "--trials", type=int, default=TRIALS, help="trials of each run (default: %(default)s)"
    )
    parser.add_argument("--repeats", type=int, default=5, help="calls for each run (default: %(default)s)")
    options = parser.parse_args(arguments)
    with on_one_core():
        bounds = [
            bound
            for rounds in (4, 40)
            for bound in measure(rounds, trials=options.trials, repeats=options.repeats)
        ]
    return keep(
        "reading",
        "Reading a long run",
        bounds,
        folder=options.save,
        conditions=f"serverlab compare, {options.trials} trials, one core: median of {options.repeats} calls",
    )


@contextmanager
def on_one_core() -> Iterator[None]:
    """Keep this process, and what it starts, on one core while the block runs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(rounds: int, *, trials: int, repeats: int) -> list[Bound]:
    """Time the command for a run of so many rounds."""
    with tempfile.TemporaryDirectory() as folder:
        path = make_run(Path(folder), rounds=rounds, trials=trials)
        size_mb = (path / "trials.jsonl").stat().st_size / 1e6
        readings = [read(path) for _ in range(repeats)]
    wall_s = [each.wall_s for each in readings]
    peak_mb = [each.peak_mb for each in readings]
    cpu_s = statistics.median(each.cpu_s for each in readings)
    shape = f"{rounds} rounds, {trials // rounds} cells, {size_mb:.0f} MB"
    return [
        Bound(
            what=f"{shape}: time",
            measured=f"{statistics.median(wall_s):.2f} s",
            limit=f"at most {LIMIT_S:g} s",
            kept=statistics.median(wall_s) <= LIMIT_S,
            details=f"worst {max(wall_s):.2f} s, CPU {cpu_s:.2f} s",
        ),
        Bound(
            what=f"{shape}: memory",
            measured=f"{statistics.median(peak_mb):.0f} MB",
            limit=f"at most {LIMIT_MB:g} MB",
            kept=statistics.median(peak_mb) <= LIMIT_MB,
            details=f"worst {max(peak_mb):.0f} MB",
        ),
    ]


def read(path: Path) -> Reading:
    """Call the command once; its table goes nowhere.

    Raises:
        RuntimeError: it did not end with 0.
    """
    argv = [sys.executable, "-m", "serverlab.cli", "compare", str(path)]
    nowhere = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    started = time.perf_counter()
    child = os.posix_spawn(argv[0], argv, os.environ, file_actions=nowhere)
    _, status, used = os.wait4(child, 0)
    wall_s = time.perf_counter() - started
    if code := os.waitstatus_to_exitcode(status):
        raise RuntimeError(f"{' '.join(argv)}: exit code {code}")
    return Reading(wall_s=wall_s, cpu_s=used.ru_utime + used.ru_stime, peak_mb=used.ru_maxrss / 1024)


def make_run(root: Path, *, rounds: int, trials: int) -> Path:
    """Write a run of ``trials`` trials in so many rounds below ``root`` and return its folder."""
    pattern = store.read_run(store.find_run(PATTERN.parent, PATTERN.name))
    plan = _plan(pattern, rounds=rounds, trials=trials)
    path = store.create_run(root, plan=plan, environment=pattern.environment)
    servers, setups = set[str](), set[LoadSetup]()
    with (path / "trials.jsonl").open("wb") as file:  # at once: a run would wait for the disk after each
        for trial in _trials(pattern, plan):
            file.write(store.line_of(trial) + b"\n")
            servers.add(_server(trial.planned))
            setups |= {trial.setup} if trial.setup else set()
    for server in sorted(servers):
        store.keep_packages(path, {_digest(server): _packages(server)}, server=server)
    for setup in setups:
        ceiling = Ceiling(setup=setup, measured_at=MOMENT, rps=CEILING_RPS, generator_cores=1.0)
        store.keep_ceiling(path, ceiling)
    return path


def _server(planned: PlannedTrial) -> str:
    return Target.parse(planned.target).server


def _packages(server: str) -> dict[str, str]:
    return {server: "1.0", **{f"package-{number}": f"{number}.0" for number in range(PACKAGES)}}


def _digest(server: str) -> str:
    return digest_of(_packages(server))


def _plan(pattern: Run, *, rounds: int, trials: int) -> Plan:
    """The pattern's experiment with as many targets as make up the trials, and with a second budget."""
    old = pattern.plan.experiment
    count = math.ceil(trials / (rounds * len(old.workloads) * len(BUDGETS)))
    targets = tuple(islice(_names(old.targets), count))
    experiment = msgspec.structs.replace(
        old, targets=targets, reference=targets[0], cpus=BUDGETS, rounds=rounds, seed=SEED
    )
    return msgspec.structs.replace(
        pattern.plan, experiment=experiment, skipped={}, trials=tuple(_planned(experiment))
    )


def _names(targets: tuple[str, ...]) -> Iterator[str]:
    """The targets, and then such with further variants, without end."""
    for number, name in enumerate(cycle(targets)):
        server, plus, edge = name.partition("+")
        generation = number // len(targets)
        yield f"{server}{f'-{generation}' if generation else ''}{plus}{edge}"


def _planned(experiment: Experiment) -> Iterator[PlannedTrial]:
    numbers = range(1, experiment.rounds + 1)
    for number, target, workload, cpus in product(
        numbers, experiment.targets, experiment.workloads, experiment.cpus
    ):
        name = f"r{number:02}-{workload}-c{cpus}-{target}".replace(":", ".")
        yield PlannedTrial(id=name, round=number, workload=workload, cpus=cpus, target=target)


def _trials(pattern: Run, plan: Plan) -> Iterator[Trial]:
    """A trial for each that is planned, its numbers those of one of the pattern, up to a tenth higher or lower."""
    vary = random.Random(SEED)  # noqa: S311 - not a secret
    measured = [(trial, trial.load) for trial in pattern.trials if trial.load is not None]
    for planned, (trial, load) in zip(plan.trials, cycle(measured), strict=False):
        factor = vary.uniform(0.9, 1.1)
        varied = msgspec.structs.replace(
            load,
            ok=round(load.ok * factor),
            ended=round(load.ended * factor),
            connections=load.connections or {"opened": load.users, "replaced": 0},
            per_second=tuple(_second(round(load.ok * factor / SECONDS), vary) for _ in range(SECONDS)),
        )
        used = {
            role: msgspec.structs.replace(
                usage, processes=tuple(_process(role, vary) for _ in range(PROCESSES))
            )
            for role, usage in trial.usage.items()
        }
        before, after = (
            _stating(proof, _digest(_server(planned))) for proof in (trial.proof_before, trial.proof_after)
        )
        yield msgspec.structs.replace(
            trial, planned=planned, load=varied, usage=used, proof_before=before, proof_after=after
        )


def _stating(proof: Proof | None, packages: str) -> Proof | None:
    """The proof of a target that states its packages, with the checks that passed as they are kept now."""
    if proof is None:
        return None
    passed = {check.name: check.detail for check in proof.checks if check.ok} | proof.passed
    return msgspec.structs.replace(
        proof,
        checks=tuple(check for check in proof.checks if not check.ok),
        passed=passed,
        identity=proof.identity | {"packages": packages},
    )


def _second(count: int, vary: random.Random) -> Second:
    p50_us = vary.randint(10_000, 50_000)
    return Second(ended=count, ok=count, failed=0, count=count, p50_us=p50_us, p99_us=3 * p50_us)


def _process(name: str, vary: random.Random) -> ProcessUse:
    return ProcessUse(
        container="0" * 12,
        pid=vary.randint(1, 30_000),
        name=name,
        user_s=vary.random(),
        system_s=vary.random(),
        memory_pss_bytes=vary.randint(1, 1 << 28),
        context_switches_voluntary=vary.randint(1, 10_000),
        context_switches_involuntary=vary.randint(1, 10_000),
    )


if __name__ == "__main__":
    sys.exit(main())
