"""Of the percentiles the doubt names exactly those that the section's table would show and cannot.

Where no row has one its column is left out.
"""

import msgspec
import pytest

from serverlab.analysis import tabulate
from serverlab.model.definitions import Arrival
from serverlab.model.tables import DoubtKind
from serverlab.reports.columns import COLUMNS, default_columns
from tests.unit.builders import GTHREAD, RUNSERVER, a_latency, a_load, a_plan, a_run, a_trial, a_workload

OPEN = a_workload(arrival=Arrival.OPEN, rate=400.0, users=64)


def sections_of(samples, plan):
    """Two rounds of all that is planned for one server, each with so many latencies."""
    load = a_load(latency=a_latency(samples))
    if plan.workloads["profile"].is_open:
        load = msgspec.structs.replace(load, arrival="open", scheduled=4000, sent=4000, lag=a_latency(4000))
    made = [
        a_trial(GTHREAD, round=number, cpus=cpus, load=load)
        for number in (1, 2)
        for cpus in plan.experiment.cpus
    ]
    return tabulate(a_run(made, plan=plan)).sections


def told(section):
    (found,) = [each for each in section.doubts if each.kind is DoubtKind.FEW_SAMPLES]
    return [detail.text for detail in found.details]


def two_rows(*counts):
    """The section of two targets, each with a round that has so many latencies, and p90 and p99.9 where they may."""
    made = [
        a_trial(
            target,
            load=a_load(
                latency=msgspec.structs.replace(a_latency(count), p90_us=40_000, p999_us=90_000),
            ),
        )
        for target, count in zip((GTHREAD, RUNSERVER), counts, strict=True)
    ]
    (section,) = tabulate(a_run(made)).sections
    return section


def percentiles(section):
    return [COLUMNS[key].title for key in default_columns(section) if key[1:2].isdigit()]


@pytest.mark.parametrize("plan", [a_plan(), a_plan(workload=OPEN), a_plan(cpus=(1, 2))])
def test_where_nothing_can_be_told_no_column_is_there_and_all_are_named(plan):
    sections = sections_of(19, plan)
    texts = [["no p50, p90, p99, p99.9: 19 requests in a round"] for _ in sections]
    assert [told(each) for each in sections] == texts
    assert [percentiles(each) for each in sections] == [[] for _ in sections]


def test_with_enough_requests_every_percentile_is_there_and_how_many_they_stand_on():
    section = two_rows(10_000, 12_000)
    assert percentiles(section) == ["p50", "p90", "p99", "p99.9"]
    assert DoubtKind.FEW_SAMPLES not in {each.kind for each in section.doubts}
    assert "samples" in default_columns(section)


def test_a_percentile_that_one_row_has_keeps_its_column_and_is_missed_of_the_others():
    section = two_rows(10_000, 999)
    assert percentiles(section) == ["p50", "p90", "p99", "p99.9"]
    assert told(section) == ["no p99, p99.9: 999 requests in a round"]


def test_a_percentile_that_no_row_has_is_told_once_and_has_no_column():
    section = two_rows(9_999, 999)
    assert percentiles(section) == ["p50", "p90", "p99"]
    assert told(section) == [
        "no row has p99.9: each has a round of 9999 requests or fewer",
        "no p99: 999 requests in a round",
    ]
    marked = [each.kind for each in section.doubts if each.number in section.rows[0].doubts]
    assert DoubtKind.FEW_SAMPLES not in marked


def test_compared_workloads_show_p99_and_how_many_requests_it_stands_on():
    made = [a_trial(GTHREAD, workload=name) for name in ("auth:none", "auth:token")]
    plan = a_plan(
        workloads=(), reference=None, comparisons={"auth:none": ("auth:token",)}, targets=(GTHREAD,)
    )
    (section,) = tabulate(a_run(made, plan=plan)).sections
    assert percentiles(section) == ["p50", "p99"]
    assert "samples" in default_columns(section)


@pytest.mark.parametrize(
    ("samples", "absent"), [(99, "p90, p99, p99.9"), (100, "p99, p99.9"), (1000, "p99.9")]
)
def test_of_open_arrival_p90_is_named_only_where_it_is_absent(samples, absent):
    (section,) = sections_of(samples, a_plan(workload=OPEN))
    assert told(section) == [f"no {absent}: {samples} requests in a round"]
