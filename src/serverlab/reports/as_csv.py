"""The table as CSV: one line per row of every section, numbers not rounded, absent = empty."""

from __future__ import annotations

import csv
import io

from serverlab.formatting import one_line
from serverlab.model.tables import Doubt, Interval, Row, Section, Spread, Table

ROLES = ("app", "edge", "db", "cache", "realtime", "load")

Value = str | float | None


def render(table: Table) -> str:
    """A heading line and one line per row.

    A spread fills the columns NAME, NAME_low and NAME_high, an interval NAME_mean, NAME_from and NAME_to.
    """
    lines = [_fields(table, section, row) for section in table.sections for row in section.rows]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if lines:
        writer.writerow(lines[0])
        writer.writerows(line.values() for line in lines)
    return out.getvalue()


def _fields(table: Table, section: Section, row: Row) -> dict[str, Value]:
    kinds = {doubt.number: doubt.kind.value for doubt in section.doubts}
    everywhere = {doubt.number for doubt in section.doubts if _is_of_all(doubt) and row.rps}
    return {
        "run": table.run,
        "workload": row.workload,
        "cpus": section.cpus,
        "edge": section.edge,
        "target": row.target,
        "state": row.state.value,
        "reference": row.compared_with,
        "reason": one_line(row.reason) if row.reason else None,
        "planned": row.planned,
        "valid": row.valid,
        **_spreads(row),
        **_interval("rps", row.rps_interval),
        **_interval("ratio", row.ratio_interval),
        **_interval("scaling", row.scaling_interval),
        "shown": row.shown.value if row.shown else None,
        "group": row.group,
        "smallest": row.smallest,
        "max_us": row.max_us,
        "errors": row.errors.count if row.errors else None,
        "error_share": row.errors.share if row.errors else None,
        "unsent_share": row.unsent_share,
        "image_bytes": row.image_bytes,
        "replicas": row.replicas,
        "doubts": " ".join(kinds[number] for number in sorted({*row.doubts, *everywhere})),
    }


def _is_of_all(doubt: Doubt) -> bool:
    """Whether some of what it says is of every measured row."""
    return doubt.everywhere or any(not detail.targets for detail in doubt.details)


def _spreads(row: Row) -> dict[str, Value]:
    spreads = {
        "rps": row.rps,
        "ratio": row.ratio,
        "scaling": row.scaling,
        "p50_us": row.p50_us,
        "p95_us": row.p95_us,
        "p99_us": row.p99_us,
        "ready_s": row.ready_s,
        "queries": row.queries,
        "request_bytes": row.request_bytes,
        "response_bytes": row.response_bytes,
        **{f"cpu_ms_{role}": row.cpu_ms.get(role) for role in ROLES},
        **{f"memory_bytes_{role}": row.memory_bytes.get(role) for role in ROLES},
        "per_cpu_s": row.per_cpu_s,
        **{f"cpu_user_ms_{role}": row.cpu_user_ms.get(role) for role in ROLES},
        **{f"cpu_system_ms_{role}": row.cpu_system_ms.get(role) for role in ROLES},
        **{f"pss_bytes_{role}": row.pss_bytes.get(role) for role in ROLES},
        **{f"switches_{role}": row.switches.get(role) for role in ROLES},
        "connections": row.connections,
        "p90_us": row.p90_us,
        "p999_us": row.p999_us,
        "lag_us": row.lag_us,
        "ceiling_rps": row.ceiling_rps,
        "ceiling_share": row.ceiling_share,
        "samples": row.samples,
        "memory_growth": row.memory_growth,
    }
    return {key: value for name, spread in spreads.items() for key, value in _spread(name, spread).items()}


def _interval(name: str, interval: Interval | None) -> dict[str, Value]:
    return {
        f"{name}_mean": interval.middle if interval else None,
        f"{name}_from": interval.low if interval else None,
        f"{name}_to": interval.high if interval else None,
    }


def _spread(name: str, spread: Spread | None) -> dict[str, Value]:
    return {
        name: spread.median if spread else None,
        f"{name}_low": spread.low if spread else None,
        f"{name}_high": spread.high if spread else None,
    }
