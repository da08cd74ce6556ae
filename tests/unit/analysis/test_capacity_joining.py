"""Which of several searches counts, what is still doubtful, and which runs do not belong into one table."""

import msgspec
import pytest

from serverlab.analysis.capacity_joining import joined, place, refuse_unlike
from serverlab.analysis.capacity_tabulating import capacity_table
from serverlab.errors import UsageError
from serverlab.model.capacity import Found, Outcome
from serverlab.model.capacity_tables import CapacityRow, SearchIn
from serverlab.model.records import CoreSplit
from tests.unit.analysis.test_capacity_tabulating import FIRST, SEARCH, SECOND, a_search, later
from tests.unit.builders import GTHREAD, a_load, a_proof

STEADY, UNSTEADY, SLOW = (2.0, 2.5), (2.0, 2.6), (3.0, 3.2)
THIRD = "capacity/20261124-101500"


def searched(rate, outcome=Outcome.FOUND, *, run=FIRST, cpu_ms=STEADY, target=GTHREAD, trials=9):
    """The row of a run that has found this, and that says so in its remarks."""
    found = Found(outcome=outcome, rate=rate, missed_at=rate and rate * 1.05, reason="")
    return CapacityRow(
        target=target,
        lacks=None,
        found=found,
        searches=(SearchIn(run=run, found=found, cpu_ms=cpu_ms),),
        per_cpu_s=rate,
        trials=trials,
        void=0,
        latencies=(),
        curve=(),
        fit=None,
        remarks=(f"{rate} in {run}",),
    )


def join(*rows):
    return joined(rows, resolution=0.05)


def doubted(row):
    """The row's search, marked."""
    return tuple(msgspec.structs.replace(each, doubted=True) for each in row.searches)


def unsteady(costs):
    return (
        f"while it was searched an answer cost the app {costs}: the machine did not keep its speed, or the server has "
        "more than one; do not rank it, search again"
    )


def apart(low, low_run, high, high_run):
    return (
        f"{low} requests/s in {low_run} and {high} in {high_run} are more than 3 steps of the resolution apart, and "
        "neither search shows why; its place in the order may be anywhere between them, search again"
    )


def test_a_search_alone_is_the_row():
    row = searched(300.0)
    assert join(row) == row


def test_a_doubt_of_the_only_search_stands_among_the_remarks():
    row = searched(300.0, cpu_ms=UNSTEADY)
    assert join(row) == msgspec.structs.replace(
        row, searches=doubted(row), remarks=(*row.remarks, unsteady("2.00 to 2.60 ms of CPU"))
    )


def test_what_is_doubted_in_one_search_is_not_said_where_another_one_counts():
    first, second = searched(258.0, cpu_ms=UNSTEADY), searched(511.0, run=SECOND)
    third = searched(400.0, run=THIRD, cpu_ms=UNSTEADY)
    searches = doubted(first) + second.searches + doubted(third)
    assert join(first, second, third) == msgspec.structs.replace(second, searches=searches)


def test_a_search_that_was_slow_throughout_is_doubted_beside_one_that_was_not():
    first, second = searched(430.0), searched(248.0, run=SECOND, cpu_ms=SLOW)
    searches = first.searches + doubted(second)
    assert join(first, second) == msgspec.structs.replace(first, searches=searches)
    assert join(second) == second


def test_where_all_searches_are_doubted_it_is_said_what_answers_cost_in_each_and_the_newest_is_shown():
    first, second = searched(430.0, cpu_ms=UNSTEADY), searched(248.0, run=SECOND, cpu_ms=SLOW)
    said = unsteady(f"2.00 to 2.60 ms of CPU in {FIRST}, 3.00 to 3.20 ms of CPU in {SECOND}")
    assert join(first, second) == msgspec.structs.replace(
        second, searches=doubted(first) + doubted(second), remarks=(*second.remarks, said)
    )


def test_a_search_in_which_nothing_was_answered_has_no_cost_that_could_be_doubted():
    first, second = searched(430.0, cpu_ms=UNSTEADY), searched(None, Outcome.UNKNOWN, run=SECOND, cpu_ms=None)
    assert join(first, second) == msgspec.structs.replace(
        second,
        searches=doubted(first) + second.searches,
        remarks=(*second.remarks, unsteady(f"2.00 to 2.60 ms of CPU in {FIRST}")),
    )
    assert join(second) == second


def test_of_two_that_count_the_newest_is_shown():
    first, second = searched(500.0), searched(520.0, run=SECOND)
    searches = first.searches + second.searches
    assert join(first, second) == msgspec.structs.replace(second, searches=searches)


def test_a_search_that_found_no_rate_counts_for_nothing_beside_one_that_did():
    first, second = searched(500.0), searched(None, Outcome.UNKNOWN, run=SECOND)
    searches = first.searches + second.searches
    assert join(first, second) == msgspec.structs.replace(first, searches=searches)


def test_a_run_that_did_not_get_as_far_as_the_target_has_no_search_of_it():
    untried = searched(None, Outcome.UNKNOWN, run=SECOND, trials=0)
    first = searched(500.0)
    assert join(first, untried) == first
    assert join(untried) == untried


@pytest.mark.parametrize(
    ("low", "high", "doubts"),
    [
        (400.0, 463.0, ()),
        (400.0, 463.1, (apart(400, FIRST, 463, SECOND),)),
        (463.1, 400.0, (apart(400, SECOND, 463, FIRST),)),
    ],
)
def test_two_that_count_may_be_three_steps_apart_and_no_more(low, high, doubts):
    row = join(searched(low), searched(high, run=SECOND))
    assert row.remarks == (f"{high} in {SECOND}", *doubts)


def test_what_is_carried_at_least_contradicts_only_what_is_lower():
    at_least = searched(400.0, Outcome.AT_LEAST)
    assert join(at_least, searched(800.0, run=SECOND)).remarks == (f"800.0 in {SECOND}",)
    assert join(at_least, searched(200.0, run=SECOND)).remarks == (
        f"200.0 in {SECOND}",
        apart(200, SECOND, 400, FIRST),
    )


def test_rows_are_ranked_by_the_geometric_mean_of_what_counts_and_the_others_stand_at_the_end():
    rows = [
        join(searched(None, Outcome.UNKNOWN, target="unknown")),
        join(searched(1.0, Outcome.LESS_THAN, target="less")),
        join(searched(900.0, cpu_ms=UNSTEADY, target="doubted")),
        join(searched(480.0, Outcome.AT_LEAST, target="at least 480")),
        join(searched(400.0, target="490"), searched(600.0, run=SECOND, target="490")),
        join(searched(950.0, cpu_ms=UNSTEADY, target="500"), searched(500.0, run=SECOND, target="500")),
    ]
    assert [row.target for row in sorted(rows, key=place)] == [
        "500",
        "490",
        "at least 480",
        "doubted",
        "less",
        "unknown",
    ]


def test_a_rate_that_is_only_known_to_be_carried_ranks_nothing_beside_a_capacity():
    both = join(searched(100.0, Outcome.AT_LEAST), searched(200.0, run=SECOND))
    assert place(both) == place(searched(200.0)) < place(searched(150.0))
    assert place(searched(100.0, Outcome.AT_LEAST)) == place(searched(100.0))


def searching(run, **changes):
    """The run as if its experiment had been another one."""
    experiment = msgspec.structs.replace(run.plan.experiment, **changes)
    return msgspec.structs.replace(run, plan=msgspec.structs.replace(run.plan, experiment=experiment))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"capacity": msgspec.structs.replace(SEARCH, slo=("p99<=100ms",), resolution=0.1)},
            '  capacity.slo: ["p99<=250ms","errors<=0.1%"] → ["p99<=100ms"]\n  capacity.resolution: 0.05 → 0.1',
        ),
        ({"cpus": (1, 2)}, "  cpus: [1] → [1,2]"),
        ({"workloads": ("catalogue",)}, '  workloads: ["profile"] → ["catalogue"]'),
    ],
)
def test_what_was_searched_for_otherwise_has_no_place_in_the_table(changes, said):
    with pytest.raises(UsageError) as refused:
        capacity_table(a_search(), searching(later(a_search()), **changes))
    assert refused.value.what == f"{FIRST} and {SECOND} are unlike:\n{said}"


def test_a_run_stands_in_a_table_once():
    with pytest.raises(UsageError, match=f"^{FIRST}: the same run twice\n"):
        capacity_table(a_search(), a_search())


def changing(run, **changes):
    return msgspec.structs.replace(
        run, trials=tuple(msgspec.structs.replace(each, **changes) for each in run.trials)
    )


def otherwise_made():
    run = later(
        a_search(),
        kernel="6.2.0",
        core_splits={"1": CoreSplit(stack="1", generator="0", disjoint=True)},
    )
    proof = msgspec.structs.replace(a_proof(django="6.0.1"), server_version="28.0.0")
    load = a_load(versions={"locust": "2.50.0", "python": "3.13.5"})
    return changing(run, proof_before=proof, load=load)


def test_a_run_that_was_made_otherwise_is_told_and_refused():
    table = capacity_table(a_search(), otherwise_made())
    assert [str(each) for each in table.further[0].unlike] == [
        "kernel: 6.1.0 → 6.2.0",
        "CPUs for a budget of 1: stack 0, generator 1 → stack 1, generator 0",
        "generator's locust: 2.47.0 → 2.50.0",
        "version of gunicorn: 27.0.1 → 28.0.0",
        "version of runserver: 27.0.1 → 28.0.0",
        "Django: 5.2.19 → 6.0.1",
    ]
    assert [each.what for each in table.further[0].differing] == ["started"]
    with pytest.raises(UsageError) as refused:
        refuse_unlike(table)
    assert refused.value.what == "\n".join(
        [f"{FIRST} and {SECOND} are unlike:", *(f"  {each}" for each in table.further[0].unlike)]
    )


def test_rates_that_both_runs_tried_in_windows_of_different_length_make_them_not_unlike():
    second = later(a_search())
    name = "profile:search-at-300"
    shorter = msgspec.structs.replace(second.plan.workloads[name], duration_s=5.0)
    plan = msgspec.structs.replace(second.plan, workloads=second.plan.workloads | {name: shorter})
    refuse_unlike(capacity_table(a_search(), msgspec.structs.replace(second, plan=plan)))
