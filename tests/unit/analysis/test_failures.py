"""What the repetitions of a fault on a target come to."""

import msgspec
import pytest

from serverlab.analysis.failures import failed_since, failure_table, merged, overview
from serverlab.model.faults import Probing, Verdict
from tests.unit.broken import KILLED, a_cell, a_fault_run, a_toll
from tests.unit.builders import GTHREAD, RUNSERVER

PASS, FAIL, VOID, UNKNOWN, NA = Verdict.PASS, Verdict.FAIL, Verdict.VOID, Verdict.UNKNOWN, Verdict.NA


def test_what_failed_before_the_fault_is_not_its_toll():
    assert failed_since(a_toll()) == 10


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([PASS, PASS], PASS),
        ([PASS, FAIL, VOID], FAIL),
        ([PASS, VOID], UNKNOWN),
        ([PASS, UNKNOWN], UNKNOWN),
        ([VOID], UNKNOWN),
        ([NA], NA),
    ],
)
def test_the_worst_verdict_is_that_of_all(verdicts, expected):
    cells = [a_cell(number, verdict=verdict) for number, verdict in enumerate(verdicts, start=1)]
    assert merged(KILLED, GTHREAD, cells).verdict is expected


def test_nothing_tried_is_unknown_and_says_so():
    found = merged(KILLED, GTHREAD, [])
    assert (found.verdict, found.reasons) == (UNKNOWN, ("not tried: the run was stopped before",))


def test_numbers_of_void_cells_do_not_count():
    cells = [
        a_cell(1, measured={"stopped_after_s": 2.0}),
        a_cell(2, verdict=VOID, toll=a_toll(longest_gap_s=9.0, lost=4), measured={"stopped_after_s": 30.0}),
        a_cell(3, toll=a_toll(longest_gap_s=0.7), measured={"stopped_after_s": 4.0}),
    ]
    found = merged(KILLED, GTHREAD, cells)
    assert found.longest_gap_s is not None
    assert (found.longest_gap_s.low, found.longest_gap_s.median, found.longest_gap_s.high) == (0.5, 0.6, 0.7)
    assert found.measured["stopped_after_s"].median == 3.0
    assert found.wrong == {}
    assert found.counted == {"pass": 2, "void": 1}


def test_what_no_fault_excuses_is_summed_and_not_averaged():
    cells = [a_cell(number, verdict=FAIL, toll=a_toll(lost=number, stale=1)) for number in (1, 2)]
    assert merged(KILLED, GTHREAD, cells).wrong == {"lost": 3, "stale": 2}


def test_duplicates_are_wrong_only_where_writes_are_guarded_and_shown_elsewhere():
    cells = [a_cell(number, toll=a_toll(duplicate=2, torn=1)) for number in (1, 2)]
    guarded = merged(KILLED, GTHREAD, cells, guarded=True)
    assert (guarded.wrong, guarded.repeated) == ({"duplicate": 4, "torn": 2}, 0)
    free = merged(KILLED, GTHREAD, cells, guarded=False)
    assert (free.wrong, free.repeated) == ({"torn": 2}, 4)


def test_an_experiment_whose_writes_may_repeat_says_so_and_counts_no_duplicate_as_wrong():
    guarded = a_fault_run([a_cell(1, toll=a_toll(duplicate=3))])
    experiment = msgspec.structs.replace(guarded.plan.experiment, probing=Probing(guarded=False))
    table = failure_table(a_fault_run(guarded.cells, experiment=experiment))
    first = table.cells[0]
    assert (first.verdict, first.wrong, first.repeated) == (PASS, {}, 3)
    assert table.facts[0].value.endswith("given up after 5 s; what is written twice may be there twice")


def test_a_repetition_that_did_not_recover_has_no_seconds_and_is_counted():
    cells = [a_cell(1), a_cell(2, verdict=FAIL, toll=a_toll(to_recovery_s=None))]
    found = merged(KILLED, GTHREAD, cells)
    assert found.to_recovery_s is not None
    assert (found.to_recovery_s.count, found.not_recovered) == (1, 1)


def test_what_was_not_looked_at_for_ten_seconds_is_not_counted_as_not_recovered():
    short = a_cell(1, verdict=UNKNOWN, toll=a_toll(to_recovery_s=None, observed_s=8.0))
    unknown = a_cell(2, verdict=FAIL, toll=a_toll(to_recovery_s=None, observed_s=None))
    assert merged(KILLED, GTHREAD, [short, unknown]).not_recovered == 0


def test_failures_of_which_nobody_knows_when_they_were_are_no_zero():
    lost = a_toll(lost=1, failed_by={"unknown/write/info/eof": 3})
    assert failed_since(lost) is None
    found = merged(KILLED, GTHREAD, [a_cell(1), a_cell(2, verdict=FAIL, toll=lost)])
    assert (found.failed.count, found.failed.median) == (1, 10)


def test_a_reason_that_several_repetitions_have_is_told_once():
    cells = [a_cell(number, verdict=FAIL, reason="not recovered within 12 s") for number in (1, 2)]
    assert merged(KILLED, GTHREAD, cells).reasons == ("not recovered within 12 s",)


def test_every_planned_pair_has_a_cell_and_what_is_skipped_its_reason():
    run = a_fault_run(
        [a_cell(1), a_cell(2)], skipped={f"{KILLED} {RUNSERVER}": "lacks the capability workers"}
    )
    table = failure_table(run)
    assert [(each.target, each.verdict, each.reasons) for each in table.cells] == [
        (GTHREAD, PASS, ()),
        (RUNSERVER, NA, ("lacks the capability workers",)),
    ]
    assert [each.value for each in table.facts[:3]] == [
        "open: 20 reads and 10 writes per second, each on a connection of its own, given up after 5 s",
        "1 core",
        "2 of 4, 2 repetitions of each, in random order (seed 7)",
    ]


TARGETS = (RUNSERVER, GTHREAD, "daphne:production")


def a_table(when, *cells, **changes):
    return msgspec.structs.replace(failure_table(a_fault_run(cells, **changes)), run=f"faults/{when}")


def verdicts(*words):
    return [a_cell(number, verdict=Verdict(word)) for number, word in enumerate(words, start=1)]


@pytest.mark.parametrize(
    ("older", "newer", "shown"),
    [
        (("pass",), ("fail",), {"fail": 1}),
        (("pass", "pass"), ("fail",), {"pass": 2}),
        (("pass",), ("void", "void"), {"pass": 1}),
        (("pass",), (), {"pass": 1}),
        (("void",), ("unknown",), {"unknown": 1}),
    ],
    ids=[
        "the newer of equals",
        "more repetitions",
        "VOID shows nothing",
        "planned and not tried",
        "not shown is more than VOID",
    ],
)
def test_of_many_runs_the_one_that_says_most_is_shown(older, newer, shown):
    runs = [a_table("20261123-000000", *verdicts(*newer)), a_table("20261122-000000", *verdicts(*older))]
    for tables in (runs, runs[::-1]):
        found = overview(tables, TARGETS)
        assert found.cells[KILLED, GTHREAD].counted == shown
        assert list(found.runs.values()) == [1]


def test_a_pair_that_nobody_tried_has_no_cell_and_a_target_that_nobody_tried_no_column():
    skipped = {f"{KILLED} {RUNSERVER}": "no worker to kill"}
    found = overview([a_table("20261122-000000", *verdicts("pass"), skipped=skipped)], TARGETS)
    assert found.targets == (RUNSERVER, GTHREAD)
    assert found.cells[KILLED, RUNSERVER].verdict is Verdict.NA
    assert found.runs == {"faults/20261122-000000": 1}
    unplanned = overview([a_table("20261122-000000", *verdicts("pass"))], TARGETS)
    assert unplanned.targets == (GTHREAD,)


def test_faults_stand_in_the_order_of_their_numbers():
    facts = a_fault_run([]).plan.faults[KILLED]
    names = ("S-01", "F-10b", "F-10", "F-9")
    cells = [a_cell(planned=a_cell().planned)]
    table = a_table("20261122-000000", *cells, faults=dict.fromkeys(names, facts))
    assert list(overview([table], TARGETS).faults) == ["F-9", "F-10", "F-10b", "S-01"]
