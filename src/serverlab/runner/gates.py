"""Why a finished trial's numbers may not be used, and what to do: pure functions of what it has gathered."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from serverlab import probe
from serverlab.model.definitions import Arrival, Spacing, Workload
from serverlab.model.records import LoadResult, Proof
from serverlab.model.usage import Usage
from serverlab.sampler import INTERVAL_S

GENERATOR_CEILING = 0.85
"""Share of one core above which the generator, and not the server, may have set the pace."""

BUSY_GENERATOR = 0.6
IDLE_STACK = 0.1
"""A generator that is busier than the first while the stack leaves more than the second idle has set the pace, too,
where users wait for answers before they ask: those of a closed workload, or of an open one that has too few."""

LEAST_LAG_US = 2000
LAG_SHARE = 0.1
"""How late the generator may be for one request in a hundred: see of_arrivals."""

LESS_LOAD = "give the stack fewer cores or a heavier workload: it may be faster than this generator can ask"

ENOUGH_SAMPLES = 0.5
"""Share of the samples due that must have been taken within the window."""

CLOCK_JUMP_S = 0.05
"""Clocks are read a few microseconds apart, a busy machine may make milliseconds of that; a step is larger."""

ADVICE = {
    "identity: debug": "turn DEBUG off, with it Django keeps every query",
    "identity: autoreload": "start it without its autoreloader (runserver --noreload)",
    "Server header": "see which server answers in its place, as `daphne` in INSTALLED_APPS does for runserver",
    "worker processes": "see the log of the app's container for why workers are missing or too many",
}
"""What to do about a check of the proof that failed, by its name, where the target answers at all."""

OTHER_CHECKS = {
    "before": "look closer with `serverlab up`, which makes the same checks",
    "after": "see its last lines for what the load did to it",
}
"""What to do about the others, by the moment of the proof."""

NO_ANSWER = "see its last lines for why it does not answer"

STACK_ROLES = ("app", "edge", "db", "cache", "realtime")


def of_proofs(before: Proof | None, after: Proof | None) -> Iterator[str]:
    """What the proofs found wrong, and whether the server's processes are still the same."""
    for moment, proof in (("before", before), ("after", after)):
        if proof is None:
            continue
        advice = {} if probe.is_silent(proof) else ADVICE
        otherwise = NO_ANSWER if probe.is_silent(proof) else OTHER_CHECKS[moment]
        for check in proof.checks:
            if not check.ok:
                what = f"proof {moment} the measurement failed: {check.name}: {check.detail}"
                yield f"{what}; {advice.get(check.name, otherwise)}"
    if before and after and before.processes != after.processes:
        gone, new = set(before.processes) - set(after.processes), set(after.processes) - set(before.processes)
        yield (
            f"the server's processes changed while it was measured: {len(gone)} gone, {len(new)} new; "
            "look in its log for why a worker ended"
        )


def of_packages(
    before: Mapping[str, str], after: Mapping[str, str], *, earlier: Mapping[str, str] | None
) -> Iterator[str]:
    """Whether the installed packages are those of the run's ``earlier`` trials of the server, and stayed the same.

    They are empty where a proof was not made or not answered, ``earlier`` is None where there is no such trial.
    """
    if earlier and before and before != earlier:
        changes = _changes(earlier, before)
        yield f"other packages than in the run's earlier trials of this server: {changes}; start a new run"
    if before and after and before != after:
        changes = _changes(before, after)
        yield f"the packages changed while it was measured: {changes}; see who installed something in the container"


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return ", ".join(f"{name} {new.get(name, 'absent')} instead of {old.get(name, 'none')}" for name in names)


def of_load(load: LoadResult | None, usage: Mapping[str, Usage], *, cpus: int) -> Iterator[str]:
    """Whether the generator set the pace, and whether enough was seen to tell."""
    if load is None:
        return
    if load.ok == 0:
        yield "no request succeeded; see the failures by kind"
    if "load" not in usage or "app" not in usage:
        missing = " and ".join(role for role in ("load", "app") if role not in usage)
        yield f"not sampled: {missing}; see which figures the engine gives (`serverlab doctor`)"
        return
    yield from _generator_bound(load, usage, cpus)
    if usage["load"].throttled_s > 0:
        held_s = usage["load"].throttled_s
        yield (
            f"the generator was held back for {held_s:.2f} s by a CPU quota; lift that of the engine, the lab sets none"
        )
    due = load.window_s / INTERVAL_S
    fewest = min(each.samples for each in usage.values())
    if fewest < ENOUGH_SAMPLES * due:
        yield f"the machine was too busy to be sampled: {fewest} samples of {due:.0f}; end what else runs on it"


def of_counts(load: LoadResult | None, *, arrival: Arrival) -> Iterator[str]:
    """Whether the generator's counts add up.

    Requests that ended within the window are those that began within it and were not late, and those that each user
    had open when it began: at most one. It may be more on WebSockets, where what one user sends many are told of, and
    where arrivals are scheduled: latency then begins with the schedule.
    """
    if load is None or arrival is not Arrival.CLOSED:
        return
    began = load.latency.count + load.latency_failed.count
    carried, failed = load.ended - (began - load.late), sum(failure.count for failure in load.failures)
    one_each = not load.on_sockets
    if carried < 0 or load.ok > load.ended or (one_each and max(carried, load.late) > load.users):
        yield (
            f"the generator's counts do not add up: {began} requests began and {load.ended} ended ({load.ok} right), "
            f"{load.late} of them late, with {load.users} users; keep the raw file and report it"
        )
    elif not 0 <= failed - load.latency_failed.count <= load.latency.count:
        yield (
            f"the generator's counts do not add up: {failed} failures named, {load.latency_failed.count} in the "
            "histogram; keep the raw file and report it"
        )


def of_clock(jump_s: float | None) -> Iterator[str]:
    """Whether the machine's clock was set while load ran, which moves the window under what is read from outside."""
    if jump_s is not None and abs(jump_s) > CLOCK_JUMP_S:
        where = "forward" if jump_s > 0 else "back"
        yield f"the clock was set {where} by {abs(jump_s):.2f} s during the trial; let it settle, measure again"


def of_arrivals(load: LoadResult | None, workload: Workload) -> Iterator[str]:
    """Whether the generator kept the schedule of an open workload; nothing of a closed one.

    What it sends late is in every latency, so their 99th percentile may be off by as much as the lag's: a tenth of the
    former is borne, and so are two milliseconds, which is what a few requests at once take in Python. A loop that is
    too busy to take answers keeps users waiting, too, and then nobody is free to lag; so the loop's own lag is held to
    the same bound. What waits for the server is no fault of the generator's: it is in the latencies, and queued.

    A generator that carries far less than is due makes latencies of seconds itself, and no lag is a tenth of them; but
    it is late for most of its ticks.
    """
    if load is None or load.lag is None or load.scheduled is None:
        return
    bound_us = max(LEAST_LAG_US, LAG_SHARE * (load.latency.p99_us or 0))
    for what, lag in (("what it could have sent at once", load.lag), ("its own ticks", load.loop_lag)):
        if lag is not None and (lag.p99_us or 0) > bound_us:
            yield (
                f"generator-bound: p99 of its lag on {what} was {(lag.p99_us or 0) / 1000:.1f} ms, more than "
                f"{bound_us / 1000:.1f} ms; lower the rate, or give it a core that is quiet"
            )
    if load.loop_lag is not None and (load.loop_lag.p50_us or 0) > LEAST_LAG_US:
        yield (
            f"generator-bound: half of its own ticks were late by {(load.loop_lag.p50_us or 0) / 1000:.1f} ms or more, "
            "so that answers waited for it all the time; lower the rate, or give it a core that is quiet"
        )
    yield from _off_schedule(load, workload)


def _off_schedule(load: LoadResult, workload: Workload) -> Iterator[str]:
    """Requests = rate x time, and each arrival one request; random arrivals may differ by five standard deviations."""
    scheduled, unsent, lost = load.scheduled or 0, load.unsent or 0, load.lost or 0
    due = (load.rate or 0) * load.window_s
    apart = 5 * math.sqrt(due) if workload.spacing is Spacing.POISSON else 1.5
    if abs(scheduled - due) > apart:
        yield f"{scheduled} arrivals were scheduled where rate x time makes {due:.0f}; report it with the raw file"
    if lost:
        yield f"{lost} of {scheduled} arrivals were never sent though users were free; have each task ask for something"
    began = load.latency.count - unsent + load.latency_failed.count
    if began != load.sent:
        yield f"{began} requests for {load.sent} arrivals that were sent; make each task one request"


def _generator_bound(load: LoadResult, usage: Mapping[str, Usage], cpus: int) -> Iterator[str]:
    share = usage["load"].cpu_s / load.window_s
    stack_s = sum(usage[role].cpu_s for role in STACK_ROLES if role in usage)
    idle = 1 - stack_s / (cpus * load.window_s)
    if share > GENERATOR_CEILING:
        yield f"generator-bound: it used {share:.0%} of a core, more than {GENERATOR_CEILING:.0%}; {LESS_LOAD}"
    elif (load.scheduled is None or load.unsent) and share > BUSY_GENERATOR and idle > IDLE_STACK:
        yield (
            f"generator-bound: it used {share:.0%} of a core while the stack left {idle:.0%} of its own idle; "
            f"{LESS_LOAD}"
        )
