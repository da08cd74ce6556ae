"""The files in ``claims/``: reading them, and every mistake in them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from serverlab.catalog.catalog import Catalog, breaks_things, read_experiment
from serverlab.catalog.reading import read_toml
from serverlab.errors import UsageError
from serverlab.formatting import did_you_mean
from serverlab.model.claims import (
    COUNTED,
    Attack,
    Bound,
    Cell,
    Claim,
    Condition,
    Fault,
    Framing,
    Missing,
    Outcome,
    Ratio,
    Value,
)
from serverlab.model.definitions import Experiment


@dataclass(frozen=True)
class Names:
    """The ids that conditions may name: of attacks, of faults, and of cases of odd requests."""

    attacks: Collection[str]
    faults: Collection[str]
    cases: Collection[str]


def claim_files(root: Path) -> list[Path]:
    """The shipped claims."""
    return sorted((root / "claims").glob("*.toml"))


def load_claims(root: Path) -> dict[str, Claim]:
    """Every claim below ``root`` by name, as it is written.

    Raises:
        UsageError: a file cannot be read; every mistake of this kind is listed.
    """
    claims: dict[str, Claim] = {}
    wrong: list[str] = []
    for path in claim_files(root):
        claim, mistakes = read_toml(path, Claim)
        wrong += [each.replace(f"{root}/", "", 1) for each in mistakes]
        if claim is not None:
            claims[path.stem] = claim
    if wrong:
        raise UsageError("\n".join(wrong), "`serverlab check` reads all files again.")
    return claims


def claim_mistakes(path: Path, catalog: Catalog, names: Names) -> Iterator[str]:
    """What is wrong in the file, given the names that exist; each begins with the file's name."""
    claim, wrong = read_toml(path, Claim)
    yield from wrong
    if claim is not None:
        yield from (f"{path}: {mistake}" for mistake in mistakes_of(claim, catalog, names))


def mistakes_of(claim: Claim, catalog: Catalog, names: Names) -> Iterator[str]:
    """What is wrong in a claim, given the names that exist."""
    for name, condition in claim.conditions().items():
        yield from (f"{name}: {each}" for each in _condition_mistakes(condition, catalog, names))
    named = [
        name
        for kind in (claim.ratio, claim.value, claim.attack, claim.fault, claim.framing, claim.missing)
        for name in kind
    ]
    yield from (
        f"{each}: two conditions have this name" for each in sorted(set(named)) if named.count(each) > 1
    )
    yield from _outcome_mistakes(claim)
    if not claim.test:
        yield "test: at least one command that makes the evidence"
    yield from (
        f"test[{index}]: {command!r} does not begin with 'serverlab '"
        for index, command in enumerate(claim.test)
        if not command.startswith("serverlab ")
    )


def _condition_mistakes(condition: Condition, catalog: Catalog, names: Names) -> Iterator[str]:
    match condition:
        case Ratio() | Value():
            yield from _number_mistakes(condition, catalog)
        case Attack():
            yield from _unknown(condition.attack, names.attacks, what="attack")
            yield from _judged_mistakes(condition, catalog)
        case Fault():
            yield from _unknown(condition.fault, names.faults, what="fault")
            yield from _judged_mistakes(condition, catalog)
        case Framing():
            yield from _case_mistakes(condition.cases, names.cases)
            yield from _target_mistakes(condition.targets, catalog)
            yield from _bound_mistakes(condition.bound)
        case Missing():
            return


def _number_mistakes(condition: Ratio | Value, catalog: Catalog) -> Iterator[str]:
    cells = {"of": condition.of} | ({"to": condition.to} if isinstance(condition, Ratio) else {})
    yield from _cell_mistakes(condition.experiment, cells, catalog)
    yield from _bound_mistakes(condition.bound)
    if condition.metric not in COUNTED and any(end <= 0 for end in condition.bound.ends):
        yield "bound: what is timed is above 0 anyhow"


def _case_mistakes(beginnings: tuple[str, ...], cases: Collection[str]) -> Iterator[str]:
    yield from (
        f"cases: no case begins with {text!r}"
        for text in beginnings
        if not any(each.startswith(text) for each in cases)
    )


def _cell_mistakes(name: str, cells: dict[str, Cell], catalog: Catalog) -> Iterator[str]:
    """What the experiment has not planned."""
    path = catalog.root / "experiments" / f"{name}.toml"
    if not path.is_file() or breaks_things(path):
        known = [each.stem for each in sorted(path.parent.glob("*.toml")) if not breaks_things(each)]
        yield f"experiment: no experiment {name!r} that measures{did_you_mean(name, known)}"
        return
    try:
        experiment = read_experiment(path, catalog)
    except UsageError:
        return  # its own mistakes are told beside those of the claims
    for key, cell in cells.items():
        yield from (f"{key}: {each}" for each in _misfits(cell, experiment, catalog))


def _misfits(cell: Cell, experiment: Experiment, catalog: Catalog) -> Iterator[str]:
    mistakes = list(_target_mistakes((cell.target,), catalog))
    yield from mistakes
    targets = {str(catalog.target(each)) for each in experiment.targets}
    if not mistakes and cell.target not in targets:
        yield f"target: {cell.target} is none of the experiment's{did_you_mean(cell.target, targets)}"
    workloads = experiment.measured_workloads()
    if cell.workload not in workloads:
        yield f"workload: {cell.workload} is none of the experiment's{did_you_mean(cell.workload, workloads)}"
    if cell.cpus not in experiment.cpus:
        yield f"cpus: {cell.cpus} is none of the experiment's"


def _judged_mistakes(condition: Attack | Fault, catalog: Catalog) -> Iterator[str]:
    yield from _target_mistakes(condition.targets, catalog)
    by_number = (condition.measured is not None, condition.bound is not None)
    if (condition.verdict is None) != all(by_number) or any(by_number) != all(by_number):
        yield "give either a verdict, or both measured and bound"
    if condition.bound is not None:
        yield from _bound_mistakes(condition.bound)


def _target_mistakes(targets: tuple[str, ...], catalog: Catalog) -> Iterator[str]:
    if not targets:
        yield "targets: at least one"
    for name in targets:
        try:
            if (whole := str(catalog.target(name))) != name:
                yield f"target {name!r}: write it in full, {whole!r}"
        except UsageError as unknown:
            yield unknown.what


def _bound_mistakes(bound: Bound) -> Iterator[str]:
    if sum(each is not None for each in (bound.above, bound.below, bound.within)) != 1:
        yield "bound: exactly one of above, below, within"
    elif bound.within is not None and not (len(bound.within) == 2 and bound.within[0] <= bound.within[1]):
        yield "bound.within: a lower and an upper end"


def _outcome_mistakes(claim: Claim) -> Iterator[str]:
    conditions = claim.conditions()
    if not claim.outcomes:
        yield "outcomes: at least one"
    for index, outcome in enumerate(claim.outcomes):
        if not outcome.when:
            yield f"outcomes[{index}]: without a condition it would hold whatever is found"
        for name in outcome.when:
            yield from (
                f"outcomes[{index}].when: {each}" for each in _unknown(name, conditions, what="condition")
            )
    used = {name for outcome in claim.outcomes for name in outcome.when}
    yield from (f"{name}: no outcome asks for this condition" for name in conditions if name not in used)
    for (one, first), (other, second) in combinations(enumerate(claim.outcomes), 2):
        if not _apart(first, second):
            yield f"outcomes[{one}] and outcomes[{other}] can both fit"


def _apart(one: Outcome, other: Outcome) -> bool:
    """Whether no answers can fit both."""
    return any(other.when.get(name, wanted) is not wanted for name, wanted in one.when.items())


def _unknown(name: str, known: Collection[str], *, what: str) -> Iterator[str]:
    if name not in known:
        yield f"unknown {what} {name!r}{did_you_mean(name, known)}"
