"""What a row's requests cost, worked out by hand."""

import msgspec

from serverlab.analysis import tabulate
from serverlab.model.usage import Usage
from serverlab.reports.columns import COLUMNS, cells, default_columns
from tests.unit.builders import GTHREAD, a_run, a_usage, trials

DETAILS = {
    "user_s": 8.0,
    "system_s": 2.0,
    "memory_pss_bytes": 90_000_000,
    "context_switches_voluntary": 7000,
    "context_switches_involuntary": 1000,
}
EXPENSIVE = ("rps", "per_cpu_s", "user_ms", "system_ms", "pss", "switches", "connections", "user_edge_ms")


def row_of(usage, *, rps=400.0):
    (section,) = tabulate(a_run(trials(GTHREAD, rps, rps, usage=usage))).sections
    return section, next(row for row in section.rows if row.name == GTHREAD)


def detailed(cores, **changes) -> Usage:
    return msgspec.structs.replace(a_usage(cores), **DETAILS | changes)


def test_requests_per_cpu_second_count_the_whole_stack_and_not_the_generator():
    # 4000 requests for 8 + 1 + 0.5 + 0.5 CPU seconds
    usage = {
        "app": a_usage(0.8),
        "edge": a_usage(0.1),
        "db": a_usage(0.05),
        "cache": a_usage(0.05),
        "load": a_usage(0.5),
    }
    _, row = row_of(usage)
    assert row.per_cpu_s.median == 400.0


def test_requests_per_cpu_second_stand_in_every_table_even_of_runs_that_were_made_before():
    section, row = row_of({"app": a_usage(1.0), "load": a_usage(0.5)})
    assert "per_cpu_s" in default_columns(section)
    assert cells(row, ["per_cpu_s"]) == ["400"]


def test_each_part_of_the_cost_is_per_successful_request_of_its_role():
    usage = {
        "app": detailed(1.0),
        "db": detailed(0.5, user_s=4.0, system_s=1.0, connections=12),
        "load": a_usage(0.5),
    }
    _, row = row_of(usage)
    assert {role: spread.median for role, spread in row.cpu_user_ms.items()} == {"app": 2.0, "db": 1.0}
    assert {role: spread.median for role, spread in row.cpu_system_ms.items()} == {"app": 0.5, "db": 0.25}
    assert {role: spread.median for role, spread in row.pss_bytes.items()} == {"app": 9e7, "db": 9e7}
    assert {role: spread.median for role, spread in row.switches.items()} == {"app": 2.0, "db": 2.0}
    assert cells(row, EXPENSIVE) == ["400", "267", "2.00", "0.500", "90.0", "2", "12", "–"]


def test_what_was_not_read_is_absent_and_never_0():
    _, row = row_of({"app": a_usage(1.0), "load": a_usage(0.5)})
    assert cells(row, EXPENSIVE) == ["400", "400", "–", "–", "–", "–", "–", "–"]


def test_a_part_that_one_round_lacks_is_absent():
    known, unknown = (
        trials(GTHREAD, 400.0, usage={"app": each, "load": a_usage(0.5)})
        for each in (detailed(1.0), detailed(1.0, memory_pss_bytes=None, context_switches_voluntary=None))
    )
    second = msgspec.structs.replace(
        unknown[0], planned=msgspec.structs.replace(unknown[0].planned, round=2, id="second")
    )
    (section,) = tabulate(a_run([*known, second])).sections
    row = next(each for each in section.rows if each.name == GTHREAD)
    assert (row.pss_bytes, row.switches, sorted(row.cpu_user_ms)) == ({}, {}, ["app"])


def test_without_the_apps_cpu_time_there_is_no_cost():
    _, row = row_of({"load": a_usage(0.5)})
    assert row.per_cpu_s is None


def test_every_role_has_its_columns():
    roles = ("", "_edge", "_db", "_cache", "_realtime", "_load")
    wanted = {
        pattern.format(role)
        for role in roles
        for pattern in ("user{}_ms", "system{}_ms", "pss{}", "switches{}")
    }
    assert wanted <= COLUMNS.keys()
    assert (COLUMNS["user_ms"].title, COLUMNS["user_db_ms"].title) == ("user", "db user")
