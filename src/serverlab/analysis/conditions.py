"""What stands beside a table: how, where and with what its numbers were made."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from serverlab import stats
from serverlab.analysis.ceilings import ceilings_told
from serverlab.analysis.differences import Compared
from serverlab.analysis.evidence import Evidence, Ground, is_valid, speeds
from serverlab.analysis.precision import Precision
from serverlab.formatting import ABSENT, exact, gibibytes, one_line, plural, ratio, significant, span
from serverlab.model.definitions import Spacing, Target, Workload
from serverlab.model.records import Environment, Plan, Proof, Trial
from serverlab.model.runs import Run
from serverlab.model.tables import Fact

SHORT_COMMIT = 12
APP_SETTINGS = {
    "password_hasher": "password hasher",
    "login_limits": "limits on signing in",
    "session_store": "sessions",
    "jwt_verify": "JWT verified with",
    "plain_tokens": "plain tokens",
    "cache": "cache",
    "debug": "DEBUG",
    "static_files": "static files in the app",
}
NUMBERS = (
    "medians over the rounds, max over all of them; requests/s count successes; latencies are of right answers and "
    "time-outs; CPU and peak memory are the app's"
)
OF_RATIOS = "geometric mean [95 % interval, of each row alone]"
OF_WORKLOADS = (
    "queries and bytes are those of one request before the warm-up; bytes are line, headers and body "
    "as they were sent"
)


def run_facts(run: Run, precision: Precision | None) -> tuple[Fact, ...]:
    """What holds for the whole run: when and where it was made, with which versions, and what was equal."""
    environment = run.environment
    return tuple(
        Fact(label=label, value=one_line(value))
        for label, value in (
            ("Measured", f"{environment.started_at}, {_trials(run)}"),
            ("Rounds", str(precision or "")),
            ("Machine", _machine(environment)),
            ("Core speed", _core_speed(run.trials)),
            ("Generator's ceiling", ceilings_told(run)),
            ("Engine", f"{environment.engine}, Compose {environment.compose}, cgroup {environment.cgroup}"),
            ("Lab", _lab(environment)),
            ("Database", environment.database),
            ("Equal for all", "; ".join(f"{key}: {value}" for key, value in environment.equal.items())),
            ("Versions", ", ".join(_versions(run.trials))),
            *_workloads(run.plan),
            *(("Note", note) for note in environment.notes),
        )
        if value
    )


def environment_facts(environment: Environment) -> tuple[Fact, ...]:
    """Where and with what something was tried that is no measurement."""
    return tuple(
        Fact(label=label, value=one_line(value))
        for label, value in (
            ("Tried", environment.started_at),
            ("Machine", _machine(environment)),
            ("Engine", f"{environment.engine}, Compose {environment.compose}, cgroup {environment.cgroup}"),
            ("Lab", _lab(environment)),
            ("Database", environment.database),
            *(("Note", note) for note in environment.notes),
        )
    )


def section_facts(ground: Ground) -> tuple[Fact, ...]:
    """What holds for one section: workload, load model, window, budget and cores, reference and noise floor."""
    return tuple(
        Fact(label=label, value=one_line(value))
        for label, value in (
            *(("Workload", f"{each.title}: {each.description}") for each in [ground.load] if ground.workload),
            ("Load", _load(ground)),
            ("Window", _window(ground)),
            ("Budget", _budget(ground)),
            *(("App", words) for words in [_app(ground)] if words),
            ("Ratios", _ratios(ground)),
            *(("Noise floor", words) for words in [_noise_floors(ground)] if words),
            ("Numbers", NUMBERS if ground.workload else f"{NUMBERS}; {OF_WORKLOADS}"),
        )
    )


def _workloads(plan: Plan) -> Iterator[tuple[str, str]]:
    """What is compared, where that is workloads."""
    if plan.experiment.comparisons:
        yield from ((name, plan.workloads[name].description) for name in plan.experiment.measured_workloads())


def _trials(run: Run) -> str:
    valid = sum(is_valid(trial) for trial in run.trials)
    void = len(run.trials) - valid
    missing = len(run.plan.trials) - len(run.trials)
    parts = [f"{valid} valid of {plural(len(run.plan.trials), 'trial')}"]
    parts += [f"{void} VOID"] if void else []
    parts += [f"{missing} not run"] if missing else []
    return ", ".join(parts)


def _machine(environment: Environment) -> str:
    memory = f"{gibibytes(environment.memory_bytes)} GiB"
    return (
        f"{environment.cpu_model}, {plural(environment.cores, 'core')}, {memory}, "
        f"{environment.os}, kernel {environment.kernel}"
    )


def _core_speed(trials: Iterable[Trial]) -> str:
    """All readings of the calibration loop; "" where there is none."""
    found = [speed for trial in trials for speed in speeds(trial)]
    if not found:
        return ""
    reach, middle = span(min(found), max(found), significant), significant(stats.median(found))
    return f"calibration loop {reach} (median {middle}) million turns per CPU second"


def _lab(environment: Environment) -> str:
    commit = environment.commit[:SHORT_COMMIT] if environment.commit else ABSENT
    changed = " with uncommitted changes" if environment.dirty else ""
    return f"serverlab {environment.lab_version}, commit {commit}{changed}, Python {environment.python}"


def _versions(trials: Iterable[Trial]) -> list[str]:
    """Each distinct version that a proof or the generator stated, with whose it is."""
    found: dict[str, set[str]] = defaultdict(set)
    for trial in trials:
        for proof in (trial.proof_before, trial.proof_after):
            if proof is not None:
                _add_versions(found, Target.parse(trial.planned.target).server, proof)
        if trial.load is not None and "locust" in trial.load.versions:
            found["Locust"].add(trial.load.versions["locust"])
    return [f"{name} {'/'.join(sorted(found[name]))}" for name in sorted(found, key=str.lower)]


def _add_versions(found: dict[str, set[str]], server: str, proof: Proof) -> None:
    if proof.server_version:
        found[server].add(proof.server_version)
    for key, name in (("django", "Django"), ("python", "Python in the containers")):
        if proof.identity.get(key):
            found[name].add(proof.identity[key])


def _load(ground: Ground) -> str:
    workload = ground.load
    time_out = f"time-out {exact(workload.timeout_s)} s, counted as an error and in the latencies"
    if workload.is_open:
        return (
            f"open: {_rates(workload)}, {_spacing(workload)}, whatever the answers do; latency counts from when a "
            "request was due, to the window's end for what was never sent; "
            f"at most {workload.users} in flight, each on its own connection; {time_out}"
        )
    think = f"{exact(workload.think_time_ms)} ms" if workload.think_time_ms else "no"
    users = plural(workload.users, "user")
    if workload.steps:
        users = ", then ".join(
            f"{plural(step.users or 0, 'user')} for {exact(step.duration_s)} s" for step in workload.steps
        )
    return f"closed: {users}, each waits for its answer, {think} think time; {time_out}"


def _rates(workload: Workload) -> str:
    """The arrivals per second, step by step where there are several."""
    if workload.rate is not None:
        return f"{exact(workload.rate)} requests/s"
    steps = (
        f"{exact(step.level)}{f' to {exact(step.ramp_to)}' if step.ramp_to else ''} for {exact(step.duration_s)} s"
        for step in workload.steps
    )
    return f"requests/s {', then '.join(steps)}"


def _spacing(workload: Workload) -> str:
    if workload.spacing is Spacing.POISSON:
        return "as independent visitors come (Poisson, the same in each round for all)"
    return "evenly spaced"


def _window(ground: Ground) -> str:
    workload, experiment = ground.load, ground.plan.experiment
    return (
        f"{exact(workload.duration_s)} s after {exact(workload.warmup_s)} s of warm-up, "
        f"fresh containers for each trial, {plural(experiment.rounds, 'round')}, shuffled (seed {experiment.seed})"
    )


def _budget(ground: Ground) -> str:
    budget = plural(ground.cpus, "core")
    if ground.split is None:
        return f"{budget} for the stack; the run does not say which"
    shared = "" if ground.split.disjoint else ": NOT disjoint"
    return f"{budget}: stack on CPU {ground.split.stack}, generator on CPU {ground.split.generator}{shared}"


def _app(ground: Ground) -> str:
    """How the app was set, as it stated itself: what holds for most rows, and for which it does not; "" in old runs."""
    stated = {each.name: _identity(each) for each in ground.evidence if each.samples}
    if not stated or any("session_store" not in identity for identity in stated.values()):
        return ""
    return "; ".join(
        _setting(words, {name: identity[key] for name, identity in stated.items()})
        for key, words in APP_SETTINGS.items()
        if all(key in identity for identity in stated.values())
    )


def _identity(evidence: Evidence) -> dict[str, str]:
    proof = evidence.samples[0].trial.proof_before
    return proof.identity if proof else {}


def _setting(words: str, values: dict[str, str]) -> str:
    """The most frequent value, and the rows with another one."""
    most = Counter(values.values()).most_common(1)[0][0]
    others = [f"{name}: {_said(value)}" for name, value in values.items() if value != most]
    return f"{words}: {_said(most)}" + (f" ({', '.join(others)})" if others else "")


def _said(value: str) -> str:
    return {"True": "on", "False": "off"}.get(value, value)


def _ratios(ground: Ground) -> str:
    if not ground.references:
        return "none: the reference is not in this section"
    if ground.load.is_open:
        return "none: where requests are due at a rate, requests/s are the schedule's"
    if ground.reference is None:
        return f"requests/s to those of the nearest reference above in the same round: {OF_RATIOS}"
    return f"requests/s to those of {ground.reference} in the same round: {OF_RATIOS}"


def _noise_floors(ground: Ground) -> str:
    """Each reference against itself; "" where the run measured none of them twice, or has no ratios."""
    if ground.load.is_open:
        return ""
    return "; ".join(
        f"{name} against itself {_floor(ground.floors.get(name), len(control.planned))}"
        for name, control in ground.controls.items()
    )


def _floor(floor: Compared | None, planned: int) -> str:
    if floor is None:
        return "in no valid pair of trials"
    count = floor.spread.count
    over = plural(count, "round") if count == planned else f"{count} of {plural(planned, 'round')}"
    return f"{ratio(floor.spread, floor.interval)} over {over}"
