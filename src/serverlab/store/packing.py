"""How a line of ``trials.jsonl`` is written: without defaults, percentiles as lists, and what repeats as a table.

Nothing is rounded and nothing is left out: the trial that is read is the one that was written. A line of format 1 is
the trial's record itself, as it was written before there was this form; both are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate, takewhile
from typing import Any, get_origin

import msgspec

from serverlab.model.base import Record
from serverlab.model.records import Latency, LoadResult, PlannedTrial, Proof, Trial

SAME = ("workers", "server_version", "processes")
"""Parts of a proof after that are as a rule those of the proof before."""

AS_IS = "as_is"
"""The name of a column in which what is absent is absent, and not said before; see ``_table``."""

PACKED = 2
"""The format number of a packed line."""

ALIKE = "identity: "
"""What the names of checks begin with that compare what the identity says; see ``_proof``."""

EVERYDAY = (
    "interface variant cpus workers multithread debug autoreload database cache realtime session_store jwt_verify "
    "jwt_algorithm plain_tokens password_hasher login_limits static_files"
)
"""The checks of that kind that nearly every proof has; in a line that says ``ALL`` these are meant, for ever."""

ALL = "*"

BROKEN_FORM = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""What a line raises that is JSON, but has not the form that packing gives it."""

Plain = dict[str, Any]


def packed(trial: Trial) -> bytes:
    """The line, without its line feed."""
    return msgspec.json.encode(_line(trial))


def unpacked(line: bytes) -> Trial:
    """The trial of a packed line.

    Raises:
        DecodeError: it is no JSON.
        ValidationError: it has not the form of a packed line, or is of no trial.
    """
    raw = msgspec.json.decode(line)
    try:
        plain = _trial(raw)
    except BROKEN_FORM as broken:
        raise msgspec.ValidationError(f"not a packed trial: {type(broken).__name__} {broken}") from None
    return msgspec.convert(plain, Trial)


def _line(trial: Trial) -> Plain:
    line = {"format": PACKED, **_brief(trial), "planned": _brief(trial.planned)}
    before, after = trial.proof_before, trial.proof_after
    if before:
        line["proof_before"] = _proof(before)
    if after:
        line["proof_after"] = _since(_proof(after), _proof(before) if before else {})
    if trial.load:
        line["load"] = _load(trial.load)
    line["usage"] = _table([("role", role), *_row(use, "processes")] for role, use in trial.usage.items())
    line["processes"] = _table(
        [("role", role), *_row(process)] for role, use in trial.usage.items() for process in use.processes
    )
    line["network"] = _table([("role", role), *_row(counts)] for role, counts in trial.network.items())
    return {name: value for name, value in line.items() if value != {}}


def _trial(raw: Plain) -> Plain:
    del raw["format"]
    processes: dict[str, list[Plain]] = {}
    for row in _rows(raw.pop("processes", {})):
        processes.setdefault(row.pop("role"), []).append(row)
    raw["usage"] = {
        role: {**use, "processes": processes.get(role, [])} for role, use in _by_role(raw.get("usage", {}))
    }
    raw["network"] = dict(_by_role(raw.get("network", {})))
    plain = {**_absent(Trial), **raw}
    plain["planned"] = {**_absent(PlannedTrial), **raw["planned"]}
    before, after = plain["proof_before"], plain["proof_after"]
    if after is not None:
        plain["proof_after"] = _unpacked_proof(
            {**{name: before[name] for name in after.pop("same", ())}, **after}
        )
    if before is not None:
        plain["proof_before"] = _unpacked_proof(before)
    if plain["load"] is not None:
        plain["load"] = _unpacked_load(plain["load"])
    return plain


def _proof(proof: Proof) -> Plain:
    """The proof; a leading check that saw what the identity says under its name is written as that name alone.

    What the identity says twice in a row is None the second time.
    """
    brief, alike = _brief(proof), list(takewhile(lambda each: _is_alike(proof, *each), proof.passed.items()))
    if alike:
        names = " ".join(check.removeprefix(ALIKE) for check, _ in alike)
        brief["alike"] = ALL if names == EVERYDAY else names
        brief["passed"] = dict(list(proof.passed.items())[len(alike) :])
    brief["identity"] = dict(zip(proof.identity, _spared(list(proof.identity.values())), strict=True))
    return {name: value for name, value in brief.items() if value != {}}


def _since(after: Plain, before: Plain) -> Plain:
    """The proof after, with the names of the parts that are the same as in the proof before."""
    same = [name for name in SAME if name in after and after[name] == before.get(name)]
    return {
        **{name: value for name, value in after.items() if name not in same},
        **({"same": same} if same else {}),
    }


def _is_alike(proof: Proof, check: str, seen: str) -> bool:
    name = check.removeprefix(ALIKE)
    return check != name and name.split() == [name] and proof.identity.get(name) == seen


def _unpacked_proof(raw: Plain) -> Plain:
    said = raw.get("identity", {})
    identity = dict(zip(said, _restored(list(said.values())), strict=True))
    names = raw.pop("alike", "")
    alike = {f"{ALIKE}{name}": identity[name] for name in (EVERYDAY if names == ALL else names).split()}
    return {**_absent(Proof), **raw, "identity": identity, "passed": {**alike, **raw.get("passed", {})}}


def _load(load: LoadResult) -> Plain:
    """The load; a request name with the percentiles of all requests has none of its own."""
    brief = _brief(load)
    for name in ("latency", "latency_failed", "lag", "loop_lag"):
        if latency := getattr(load, name):
            brief[name] = _list(latency)
    brief["by_name"] = {
        name: None if latency == load.latency else _list(latency) for name, latency in load.by_name.items()
    }
    if load.per_second:
        brief["per_second"] = _table(_row(each) for each in load.per_second)
    return brief


def _unpacked_load(raw: Plain) -> Plain:
    plain = {**_absent(LoadResult), **raw, "per_second": list(_rows(raw.get("per_second", {})))}
    for name in ("latency", "latency_failed", "lag", "loop_lag"):
        if plain.get(name) is not None:
            plain[name] = _latency(plain[name])
    plain["by_name"] = {
        name: plain["latency"] if each is None else _latency(each) for name, each in raw["by_name"].items()
    }
    return plain


def _list(latency: Latency) -> list[Any]:
    """The fields in their order, without those at the end that are None."""
    values = [getattr(latency, name) for name in _names(Latency)]
    while values and values[-1] is None:
        values.pop()
    return values


def _latency(values: Sequence[Any]) -> Plain:
    return {**_absent(Latency), **dict(zip(_names(Latency), values, strict=False))}


def _brief(record: Record) -> Plain:
    """The record without what reading it puts there by itself: defaults, and None where there is no default."""
    plain: Plain = msgspec.to_builtins(record)
    defaults = _defaults(type(record))
    return {name: value for name, value in plain.items() if name not in defaults or value != defaults[name]}


def _row(record: Record, *without: str) -> list[tuple[str, Any]]:
    return [(name, getattr(record, name)) for name in _names(type(record)) if name not in without]


def _table(rows: Iterable[Iterable[tuple[str, Any]]]) -> Plain:
    """Rows of one kind as columns; the first is a list, a later one its value where that is the same in all rows.

    A later column that is like the first is {}. In a column of words what is said twice in a row is None the second
    time; one that begins with a word and is not of words alone is {AS_IS: [...]}.
    """
    whole = [dict(row) for row in rows]
    if not whole:
        return {}
    first, *others = ([row[name] for row in whole] for name in whole[0])
    columns = [_words(first), *(_column(values, first) for values in others)]
    return dict(zip(whole[0], columns, strict=True))


def _column(values: list[Any], first: list[Any]) -> object:
    if values.count(values[0]) == len(values):
        return values[0]
    return {} if values == first else _words(values)


def _words(values: list[Any]) -> object:
    if all(isinstance(each, str) for each in values):
        return _spared(values)
    return {AS_IS: values} if isinstance(values[0], str) else values


def _spared(values: list[Any]) -> list[Any]:
    """The words without those that are said again at once."""
    return [None if number and values[number - 1] == each else each for number, each in enumerate(values)]


def _restored(values: list[Any]) -> list[Any]:
    """The words with those that were spared, and anything else as it is."""
    if not values or not isinstance(values[0], str):
        return values
    return list(accumulate(values, lambda before, each: before if each is None else each))


def _rows(table: Mapping[str, Any]) -> Iterator[Plain]:
    first: list[Any] = _column_of(next(iter(table.values()), []), [])
    columns = [
        _restored(values) if isinstance(values, list) else _column_of(values, first)
        for values in table.values()
    ]
    for row in zip(*columns, strict=True):
        yield dict(zip(table, row, strict=True))


def _column_of(values: Any, first: list[Any]) -> list[Any]:  # noqa: ANN401 - whatever JSON says
    """The column as it was: as it is, like the first, or the same in all rows."""
    if isinstance(values, list):
        return _restored(values)
    if isinstance(values, dict):
        return list(values[AS_IS]) if values else first
    return [values] * len(first)


def _by_role(table: Mapping[str, Any]) -> Iterator[tuple[str, Plain]]:
    for row in _rows(table):
        yield row.pop("role"), row


@cache
def _names(kind: type[Record]) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(kind))


@cache
def _defaults(kind: type[Record]) -> Plain:
    """What reading puts where a field was left out: its default, or None where it has none."""
    defaults: Plain = {}
    for field in msgspec.structs.fields(kind):
        if field.default_factory is not msgspec.NODEFAULT:
            defaults[field.name] = msgspec.to_builtins(field.default_factory())
        else:
            default = _empty(field) if field.default is msgspec.NODEFAULT else field.default
            defaults[field.name] = msgspec.to_builtins(default)
    return defaults


@cache
def _absent(kind: type[Record]) -> Plain:
    """What reading puts where a field without a default was left out."""
    return {field.name: _empty(field) for field in msgspec.structs.fields(kind) if field.required}


def _empty(field: msgspec.structs.FieldInfo) -> object:
    """An empty sequence where the field is one; else None, which is refused later unless the field may be None."""
    return () if get_origin(field.type) is tuple else None
