"""What a column of a table for people is called, and what it shows of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from serverlab.formatting import (
    ABSENT,
    amount,
    cost_ms,
    estimate,
    factor,
    megabytes,
    milliseconds,
    per_second,
    percent,
    ratio,
    seconds,
    span,
    spread,
)
from serverlab.model.tables import Row, RowState, Section, Spread


@dataclass(frozen=True)
class Column:
    """A heading in two lines, and the text for a measured row."""

    title: str
    unit: str
    show: Callable[[Row], str]


def _middle(spread: Spread | None, show: Callable[[float | None], str]) -> str:
    return show(spread.median if spread else None)


def _range(row: Row) -> str:
    return span(row.rps.low, row.rps.high, per_second) if row.rps else ABSENT


def _ratio(row: Row, shown: str) -> str:
    return "reference" if row.reference else shown


def _errors(row: Row) -> str:
    return percent(row.errors.share if row.errors else None)


def _trials(row: Row) -> str:
    return f"{row.valid}/{row.planned}" if row.planned else ABSENT


def _cpu(role: str) -> Callable[[Row], str]:
    return lambda row: _middle(row.cpu_ms.get(role), cost_ms)


def _memory(role: str) -> Callable[[Row], str]:
    return lambda row: _middle(row.memory_bytes.get(role), megabytes)


def _per_role(
    key: str, title: str, unit: str, show: Callable[[str], Callable[[Row], str]]
) -> dict[str, Column]:
    """A column for each role, the app's without its name."""
    return {
        key.format("" if role == "app" else f"_{role}"): Column(
            title if role == "app" else f"{role} {title}", unit, show(role)
        )
        for role in ("app", "edge", "db", "cache", "realtime", "load")
    }


def _user(role: str) -> Callable[[Row], str]:
    return lambda row: _middle(row.cpu_user_ms.get(role), cost_ms)


def _system(role: str) -> Callable[[Row], str]:
    return lambda row: _middle(row.cpu_system_ms.get(role), cost_ms)


def _pss(role: str) -> Callable[[Row], str]:
    return lambda row: _middle(row.pss_bytes.get(role), megabytes)


def _switches(role: str) -> Callable[[Row], str]:
    return lambda row: _middle(row.switches.get(role), amount)


COLUMNS: dict[str, Column] = {
    "rps": Column("req/s", "", lambda row: _middle(row.rps, per_second)),
    "range": Column("range", "", _range),
    "rps_interval": Column("req/s", "[95 %]", lambda row: estimate(row.rps_interval, per_second)),
    "ratio": Column("ratio", "[95 %]", lambda row: _ratio(row, ratio(row.ratio, row.ratio_interval))),
    "ratio_range": Column("ratio", "(range)", lambda row: _ratio(row, spread(row.ratio))),
    "shown": Column("shown", "", lambda row: row.shown.value if row.shown else ABSENT),
    "scaling": Column("gain by", "cores", lambda row: ratio(row.scaling, row.scaling_interval)),
    "p50": Column("p50", "ms", lambda row: _middle(row.p50_us, milliseconds)),
    "p90": Column("p90", "ms", lambda row: _middle(row.p90_us, milliseconds)),
    "p95": Column("p95", "ms", lambda row: _middle(row.p95_us, milliseconds)),
    "p99": Column("p99", "ms", lambda row: _middle(row.p99_us, milliseconds)),
    "p999": Column("p99.9", "ms", lambda row: _middle(row.p999_us, milliseconds)),
    "samples": Column("samples", "/round", lambda row: _middle(row.samples, amount)),
    "max": Column("max", "ms", lambda row: milliseconds(row.max_us)),
    "ceiling": Column("share of", "ceiling", lambda row: _middle(row.ceiling_share, percent)),
    "unsent": Column("unsent", "", lambda row: percent(row.unsent_share)),
    "lag": Column("lag p99", "ms", lambda row: _middle(row.lag_us, milliseconds)),
    "errors": Column("errors", "", _errors),
    "cpu_ms": Column("CPU/req", "ms", _cpu("app")),
    "cpu_edge_ms": Column("edge CPU", "ms/req", _cpu("edge")),
    "cpu_db_ms": Column("db CPU", "ms/req", _cpu("db")),
    "cpu_cache_ms": Column("cache CPU", "ms/req", _cpu("cache")),
    "cpu_realtime_ms": Column("realtime CPU", "ms/req", _cpu("realtime")),
    "cpu_load_ms": Column("load CPU", "ms/req", _cpu("load")),
    "per_cpu_s": Column("req", "/CPU s", lambda row: _middle(row.per_cpu_s, per_second)),
    **_per_role("user{}_ms", "user", "ms/req", _user),
    **_per_role("system{}_ms", "system", "ms/req", _system),
    "memory": Column("peak", "MB", _memory("app")),
    "growth": Column("growth", "times", lambda row: _middle(row.memory_growth, factor)),
    "memory_edge": Column("edge", "MB", _memory("edge")),
    "memory_db": Column("db", "MB", _memory("db")),
    "memory_cache": Column("cache", "MB", _memory("cache")),
    "memory_realtime": Column("realtime", "MB", _memory("realtime")),
    "memory_load": Column("load", "MB", _memory("load")),
    **_per_role("pss{}", "PSS", "MB", _pss),
    **_per_role("switches{}", "switches", "/req", _switches),
    "connections": Column("db", "conns", lambda row: _middle(row.connections, amount)),
    "ready": Column("ready", "s", lambda row: _middle(row.ready_s, seconds)),
    "image": Column("image", "MB", lambda row: megabytes(row.image_bytes)),
    "replicas": Column("copies", "", lambda row: str(row.replicas or ABSENT)),
    "queries": Column("queries", "/req", lambda row: _middle(row.queries, amount)),
    "request_bytes": Column("request", "bytes", lambda row: _middle(row.request_bytes, amount)),
    "response_bytes": Column("answer", "bytes", lambda row: _middle(row.response_bytes, amount)),
    "trials": Column("trials", "", _trials),
}
"""Every column by its key, as ``columns=`` and ``value=`` name it in the docs."""

PERCENTILES = ("p50", "p90", "p99", "p999")
"""Columns that are left out where no row has them."""

DEFAULT = (
    "rps",
    "ratio",
    "shown",
    *PERCENTILES,
    "max",
    "samples",
    "errors",
    "cpu_ms",
    "per_cpu_s",
    "memory",
    "ready",
    "trials",
)
SCALING = (
    "rps",
    "ratio",
    "shown",
    "scaling",
    *PERCENTILES,
    "max",
    "samples",
    "errors",
    "per_cpu_s",
    "memory",
    "trials",
)
OPEN = (
    "rps",
    *PERCENTILES,
    "max",
    "samples",
    "unsent",
    "lag",
    "errors",
    "cpu_ms",
    "per_cpu_s",
    "memory",
    "trials",
)
COMPARED = (
    "rps",
    "ratio",
    "shown",
    "p50",
    "p99",
    "samples",
    "errors",
    "cpu_ms",
    "per_cpu_s",
    "cpu_db_ms",
    "cpu_cache_ms",
    "queries",
    "request_bytes",
    "response_bytes",
    "trials",
)

STATES = {
    RowState.MEASURED: "",
    RowState.VOID: "VOID",
    RowState.NOT_APPLICABLE: "n/a",
    RowState.NOT_RUN: "not run",
}


def default_columns(section: Section) -> tuple[str, ...]:
    """The usual columns without percentiles that no row has, of which a doubt tells why."""
    absent = {key for key in PERCENTILES if all(COLUMNS[key].show(row) == ABSENT for row in section.rows)}
    return tuple(key for key in _usual(section) if key not in absent)


def _usual(section: Section) -> tuple[str, ...]:
    """A gain by cores, workloads or open arrival take the place of what tells less there."""
    if section.workload is None:
        roles = {role for row in section.rows for role in row.cpu_ms}
        absent = {f"cpu_{role}_ms" for role in ("db", "cache") if role not in roles}
        return tuple(key for key in COMPARED if key not in absent)
    if any(row.lag_us for row in section.rows):
        return OPEN
    return SCALING if any(row.scaling for row in section.rows) else DEFAULT


def heading(section: Section) -> str:
    """What all rows of the section have in common: workload or target, budget, and what stands in front."""
    cores = f"{section.cpus} core{'' if section.cpus == 1 else 's'}"
    front = {None: "", "none": ", direct"}.get(section.edge, f", behind {section.edge}")
    return f"{section.workload or section.target}, {cores}{front}"


def row_title(section: Section) -> str:
    """What the rows of the section are."""
    return "target" if section.target is None else "workload"


def cells(row: Row, keys: Sequence[str]) -> list[str]:
    """The row's texts for these columns; without numbers its state stands in the first and the rest is absent."""
    if row.state is RowState.MEASURED:
        return [COLUMNS[key].show(row) for key in keys]
    shown = [COLUMNS[key].show(row) if key == "trials" else ABSENT for key in keys]
    return [STATES[row.state], *shown[1:]]


def marks(numbers: Iterable[int]) -> str:
    """The numbers of a row's footnotes."""
    return ",".join(str(number) for number in numbers)
