"""Of the percentiles the doubt names exactly those that the section's table would show and cannot."""

import msgspec
import pytest

from serverlab.analysis import tabulate
from serverlab.model.definitions import Arrival
from serverlab.model.tables import DoubtKind
from serverlab.reports.columns import COLUMNS, default_columns
from tests.unit.builders import GTHREAD, a_latency, a_load, a_plan, a_run, a_trial, a_workload

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


@pytest.mark.parametrize(
    ("plan", "absent"),
    [
        (a_plan(), ["p50, p95, p99"]),
        (a_plan(workload=OPEN), ["p50, p90, p99, p99.9"]),
        (a_plan(cpus=(1, 2)), ["p50, p95, p99", "p50, p99"]),
    ],
)
def test_where_nothing_can_be_told_all_columns_of_percentiles_are_named(plan, absent):
    sections = sections_of(19, plan)
    assert [told(each) for each in sections] == [[f"no {names}: 19 requests in a round"] for names in absent]
    shown = [[COLUMNS[key].title for key in default_columns(each)] for each in sections]
    assert [[title for title in titles if title[1:2].isdigit()] for titles in shown] == [
        names.split(", ") for names in absent
    ]


@pytest.mark.parametrize(
    ("samples", "absent"), [(99, "p90, p99, p99.9"), (100, "p99, p99.9"), (1000, "p99.9")]
)
def test_of_open_arrival_p90_is_named_only_where_it_is_absent(samples, absent):
    (section,) = sections_of(samples, a_plan(workload=OPEN))
    assert told(section) == [f"no {absent}: {samples} requests in a round"]
