"""Why a finished trial's numbers may not be used: pure functions of what it has gathered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from serverlab.model.records import LoadResult, Proof, Usage
from serverlab.sampler import INTERVAL_S

GENERATOR_CEILING = 0.85
"""Share of one core above which the generator, and not the server, may have set the pace."""

BUSY_GENERATOR = 0.6
IDLE_STACK = 0.1
"""A generator that is busier than the first while the stack leaves more than the second idle has set the pace, too."""

ENOUGH_SAMPLES = 0.5
"""Share of the samples due that must have been taken within the window."""

STACK_ROLES = ("app", "edge", "db", "cache", "realtime")


def of_proofs(before: Proof | None, after: Proof | None) -> Iterator[str]:
    """What the proofs found wrong, and whether the server's processes are still the same."""
    for moment, proof in (("before", before), ("after", after)):
        for check in proof.checks if proof else ():
            if not check.ok:
                yield f"proof {moment} the measurement failed: {check.name}: {check.detail}"
    if before and after and before.processes != after.processes:
        gone, new = set(before.processes) - set(after.processes), set(after.processes) - set(before.processes)
        yield f"the server's processes changed while it was measured: {len(gone)} gone, {len(new)} new"


def of_packages(
    before: Mapping[str, str], after: Mapping[str, str], *, earlier: Mapping[str, str] | None
) -> Iterator[str]:
    """Whether the installed packages are those of the run's ``earlier`` trials of the server, and stayed the same.

    They are empty where a proof was not made or not answered, ``earlier`` is None where there is no such trial.
    """
    if earlier and before and before != earlier:
        yield f"other packages than in the run's earlier trials of this server: {_changes(earlier, before)}"
    if before and after and before != after:
        yield f"the packages changed while it was measured: {_changes(before, after)}"


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return ", ".join(f"{name} {new.get(name, 'absent')} instead of {old.get(name, 'none')}" for name in names)


def of_load(load: LoadResult | None, usage: Mapping[str, Usage], *, cpus: int) -> Iterator[str]:
    """Whether the generator set the pace, and whether enough was seen to tell."""
    if load is None:
        return
    if load.ok == 0:
        yield "no request succeeded"
    if "load" not in usage or "app" not in usage:
        yield f"not sampled: {' and '.join(role for role in ('load', 'app') if role not in usage)}"
        return
    yield from _generator_bound(load, usage, cpus)
    due = load.window_s / INTERVAL_S
    fewest = min(each.samples for each in usage.values())
    if fewest < ENOUGH_SAMPLES * due:
        yield f"the machine was too busy to be sampled: {fewest} samples of {due:.0f}"


def _generator_bound(load: LoadResult, usage: Mapping[str, Usage], cpus: int) -> Iterator[str]:
    share = usage["load"].cpu_s / load.window_s
    stack_s = sum(usage[role].cpu_s for role in STACK_ROLES if role in usage)
    idle = 1 - stack_s / (cpus * load.window_s)
    if share > GENERATOR_CEILING:
        yield f"generator-bound: it used {share:.0%} of a core, more than {GENERATOR_CEILING:.0%}"
    elif share > BUSY_GENERATOR and idle > IDLE_STACK:
        yield f"generator-bound: it used {share:.0%} of a core while the stack left {idle:.0%} of its own idle"
