"""Two runs of the same: which rows say something else the second time."""

from __future__ import annotations

from serverlab.analysis import tabulate
from serverlab.analysis.agreement import agreement
from tests.unit.builders import GTHREAD, RUNSERVER, UWSGI, a_plan, a_run, a_void_trial, trials


def table(runserver, uwsgi=(), *, targets=(GTHREAD, RUNSERVER, UWSGI)):
    rounds = 4
    run = a_run(
        trials(GTHREAD, *(400,) * rounds),
        trials(RUNSERVER, *runserver),
        trials(UWSGI, *uwsgi) if uwsgi else [a_void_trial(UWSGI, round=1, reasons=("died",))],
        plan=a_plan(targets=targets, rounds=rounds),
    )
    return tabulate(run)


def overlaps(first, second):
    return {pair.name: pair.overlap for pair in agreement(first, second)}


def test_intervals_with_a_common_value_overlap_and_others_do_not():
    near, above, far = (300, 310, 305, 295), (308, 312, 300, 304), (200, 205, 195, 202)
    assert overlaps(table(near), table(above)) == {RUNSERVER: True}
    assert overlaps(table(near), table(far)) == {RUNSERVER: False}
    assert overlaps(table(far), table(near)) == {RUNSERVER: False}


def test_one_interval_within_the_other_overlaps_whichever_comes_first():
    wide, narrow = (200, 400, 250, 350), (288, 290, 289, 287)
    assert overlaps(table(wide), table(narrow)) == overlaps(table(narrow), table(wide)) == {RUNSERVER: True}


def test_a_row_that_only_one_run_measured_has_nothing_to_overlap():
    steady = (300, 310, 305, 295)
    expected = {RUNSERVER: True, UWSGI: None}
    assert overlaps(table(steady, steady), table(steady)) == expected
    assert overlaps(table(steady), table(steady, steady)) == expected


def test_a_reference_is_no_row_of_its_own():
    assert GTHREAD not in overlaps(table((300,) * 4), table((300,) * 4))
