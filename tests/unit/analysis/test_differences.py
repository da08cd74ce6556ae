"""What a section shows of its rows, the noise floor beside them, and predictions; against values worked by hand."""

from __future__ import annotations

import math

import pytest

from serverlab.analysis import tabulate
from serverlab.analysis.differences import as_share, compare_all
from serverlab.analysis.predictions import score
from serverlab.model.definitions import Prediction
from serverlab.model.tables import DoubtKind, Interval, RowState, Score, Shown
from tests.unit.builders import (
    GTHREAD,
    RUNSERVER,
    UWSGI,
    a_plan,
    a_run,
    a_void_trial,
    controls,
    trials,
    with_controls,
)

FIVE = (400, 402, 404, 406, 408)
UP = (1.02, 1.0, 0.98, 1.01, 0.99)
"""A noise of 1.6 %: the interval of five such ratios reaches 2 % to either side."""


def around(middle: float, noise: float = 1.0) -> tuple[float, ...]:
    """Five ratios whose geometric mean is near the middle."""
    return tuple(middle * each**noise for each in UP)


def section_of(*groups, **changes):
    plan = a_plan(targets=(GTHREAD, RUNSERVER, UWSGI), **changes)
    return tabulate(a_run(*groups, plan=plan)).sections[0]


def rows_of(section):
    return {row.name: row for row in section.rows}


def said(section, kind):
    return [detail for doubt in section.doubts if doubt.kind is kind for detail in doubt.details]


def paired(target, ratios):
    """Trials of the target whose ratios to five rounds of 400 are these."""
    return trials(target, *(400 * each for each in ratios))


def even(*, of=GTHREAD):
    return trials(of, *[400] * 5)


def test_a_row_that_is_clearly_slower_or_faster_is_said_to_be():
    found = compare_all({"slow": around(0.8), "fast": around(1.2)}, {})
    assert (found["slow"].shown, found["fast"].shown) == (Shown.SLOWER, Shown.FASTER)


def test_a_row_whose_interval_includes_1_ties_with_the_smallest_difference_that_could_have_been_shown():
    ratios = around(1.01)
    found = compare_all({"row": ratios}, {})["row"]
    logs = [math.log(each) for each in ratios]
    mean = sum(logs) / 5
    error = math.sqrt(sum((each - mean) ** 2 for each in logs) / 4 / 5)
    assert found.shown is Shown.TIE
    assert found.smallest == pytest.approx(math.exp(2.776445 * error) - 1)


def test_the_smallest_difference_is_asked_at_the_level_of_holms_last_step():
    # Two of three rows differ, so the third was asked at 0.05 / 1; where none differs each was asked at 0.05 / 3.
    tie = around(1.01)
    among_ties = compare_all(dict.fromkeys(("a", "b", "c"), tie), {})["a"]
    among_others = compare_all({"a": tie, "b": around(0.5), "c": around(2.0)}, {})["a"]
    alone = compare_all({"a": tie}, {})["a"]
    assert among_others.smallest == alone.smallest < among_ties.smallest


def test_an_interval_that_excludes_1_shows_no_difference_among_many_rows():
    # The interval reaches 2 % down from 1.025: it excludes 1, with p = 0.025, which is too much among ten.
    close = around(1.025)
    alone = compare_all({"close": close}, {})["close"]
    among = compare_all({"close": close} | {f"row {each}": around(1.0) for each in range(9)}, {})["close"]
    assert (alone.shown, among.shown) == (Shown.FASTER, Shown.UNCLEAR)
    assert among.interval == alone.interval
    assert among.interval.low > 1


def test_a_difference_within_the_noise_floor_is_not_shown():
    floor = Interval(middle=1.0, low=0.8, high=1.1, level=0.95, method="Student's t", count=5)
    found = compare_all(
        {"row": around(0.85), "far": around(0.75), "free": around(0.85)}, {"row": floor, "far": floor}
    )
    assert (found["row"].shown, found["row"].below_floor) == (Shown.UNCLEAR, True)
    assert (found["far"].shown, found["free"].shown) == (Shown.SLOWER, Shown.SLOWER)
    assert found["row"].smallest == pytest.approx(1 / 0.8 - 1)


def test_where_the_floor_was_asked_for_and_is_not_known_no_difference_is_shown():
    found = compare_all({"row": around(0.5), "tie": around(1.0)}, {"row": None}, untold=["row", "tie"])
    assert (found["row"].shown, found["row"].below_floor) == (Shown.UNCLEAR, True)
    assert (found["tie"].shown, found["tie"].below_floor) == (Shown.TIE, False)


def test_with_two_rounds_nothing_is_shown_and_there_is_no_interval():
    found = compare_all({"row": (0.5, 0.5), "other": around(0.5)}, {})
    assert (found["row"].shown, found["row"].interval, found["row"].smallest) == (None, None, None)
    assert found["other"].shown is Shown.SLOWER


def test_a_distance_on_the_log_scale_is_a_share():
    assert as_share(math.log(1.1)) == pytest.approx(0.1)


def test_ties_are_one_group_with_their_reference_and_have_no_rank():
    section = section_of(even(), paired(RUNSERVER, around(1.005)), paired(UWSGI, around(0.8)))
    rows = rows_of(section)
    assert {name: (row.shown, row.group) for name, row in rows.items()} == {
        GTHREAD: (None, 1),
        RUNSERVER: (Shown.TIE, 1),
        UWSGI: (Shown.SLOWER, None),
    }
    assert rows[RUNSERVER].smallest is not None
    (detail,) = said(section, DoubtKind.NO_DIFFERENCE)
    assert detail.targets == (RUNSERVER,)


def test_without_a_tie_there_is_no_group():
    section = section_of(even(), paired(RUNSERVER, around(0.9)), paired(UWSGI, around(0.8)))
    assert {row.group for row in section.rows} == {None}


def test_an_unclear_row_is_named_with_its_interval_and_is_in_no_group():
    section = section_of(even(), paired(RUNSERVER, around(1.025)), paired(UWSGI, around(1.0)))
    row = rows_of(section)[RUNSERVER]
    assert (row.shown, row.group) == (Shown.UNCLEAR, None)
    (detail,) = said(section, DoubtKind.UNCLEAR)
    assert (detail.targets, detail.text) == ((RUNSERVER,), "1.02 [1.00–1.05], less than 2.5 % would not show")


def test_the_noise_floor_is_the_reference_against_its_own_second_trials():
    run = a_run(even(), controls(GTHREAD, *(400 * each for each in UP)), plan=with_controls(a_plan()))
    (section,) = tabulate(run).sections
    (floor,) = section.noise_floors
    assert (floor.name, floor.ratio.count, floor.ratio.median) == (GTHREAD, 5, 1.0)
    assert floor.reach == pytest.approx(1 / floor.interval.low - 1, rel=0.01)
    facts = {fact.label: fact.value for fact in section.conditions}
    assert facts["Noise floor"] == "gunicorn:gthread against itself 1.00 [0.98–1.02] over 5 rounds"


def test_a_control_is_no_row_and_counts_for_none():
    plan = with_controls(a_plan())
    run = a_run(even(), controls(GTHREAD, *[800] * 5), plan=plan)
    (section,) = tabulate(run).sections
    rows = rows_of(section)
    assert list(rows) == [GTHREAD, RUNSERVER]
    assert (rows[GTHREAD].rps.median, rows[GTHREAD].planned, rows[GTHREAD].valid) == (400.0, 5, 5)
    assert rows[RUNSERVER].state is RowState.NOT_RUN


def test_rounds_without_a_valid_control_are_told_beside_the_noise_floor():
    void = [a_void_trial(GTHREAD, round=number, control=True, reasons=("died",)) for number in (4, 5)]
    plan = with_controls(a_plan())
    some = tabulate(a_run(even(), controls(GTHREAD, 400, 404, 396), void, plan=plan)).sections[0]
    none = tabulate(a_run(even(), plan=plan)).sections[0]
    facts = [
        next(fact.value for fact in section.conditions if fact.label == "Noise floor")
        for section in (some, none)
    ]
    assert facts == [
        "gunicorn:gthread against itself 1.00 [0.98–1.03] over 3 of 5 rounds",
        "gunicorn:gthread against itself in no valid pair of trials",
    ]
    assert none.noise_floors == ()


def test_rows_beside_a_reference_that_nobody_knows_against_itself_are_unclear():
    plan = with_controls(a_plan())
    run = a_run(even(), paired(RUNSERVER, around(0.5)), controls(GTHREAD, 320, 500), plan=plan)
    (section,) = tabulate(run).sections
    assert rows_of(section)[RUNSERVER].shown is Shown.UNCLEAR
    (detail,) = said(section, DoubtKind.NOISE_FLOOR)
    assert detail.text.endswith("too few trials tell what the reference is against itself")


def test_a_run_that_was_made_without_controls_says_nothing_of_a_noise_floor():
    (section,) = tabulate(a_run(even())).sections
    assert section.noise_floors == ()
    assert "Noise floor" not in {fact.label for fact in section.conditions}


def test_a_difference_that_is_smaller_than_the_floor_is_doubted_with_both():
    run = a_run(
        even(),
        controls(GTHREAD, *(400 * each for each in around(1.0, 5.0))),
        paired(RUNSERVER, around(0.92)),
        plan=with_controls(a_plan()),
    )
    (section,) = tabulate(run).sections
    assert rows_of(section)[RUNSERVER].shown is Shown.UNCLEAR
    (detail,) = said(section, DoubtKind.NOISE_FLOOR)
    assert detail.text == "0.92 [0.90–0.94], the floor reaches 10 %"
    assert said(section, DoubtKind.UNCLEAR) == []
    assert said(section, DoubtKind.SELF_DIFFERENCE) == []


def test_a_reference_that_differs_from_itself_is_a_doubt_about_the_section():
    run = a_run(
        even(), controls(GTHREAD, *(400 * each for each in around(0.9))), plan=with_controls(a_plan())
    )
    (detail,) = said(tabulate(run).sections[0], DoubtKind.SELF_DIFFERENCE)
    assert (detail.targets, detail.text) == ((), "gunicorn:gthread against itself 0.90 [0.88–0.92]")


def test_where_workloads_are_compared_each_reference_has_a_floor_of_its_own():
    plan = with_controls(
        a_plan(
            workloads=(), reference=None, targets=(GTHREAD,), comparisons={"a:x": ("a:y",), "b:x": ("b:y",)}
        )
    )
    run = a_run(
        trials(GTHREAD, *FIVE, workload="a:x"),
        controls(GTHREAD, *FIVE, workload="a:x"),
        trials(GTHREAD, *FIVE, workload="b:x"),
        controls(GTHREAD, *(2 * each for each in FIVE), workload="b:x"),
        plan=plan,
    )
    (section,) = tabulate(run).sections
    assert {floor.name: floor.interval.middle for floor in section.noise_floors} == {
        "a:x": pytest.approx(1.0),
        "b:x": pytest.approx(2.0),
    }


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.7, 0.9, Score.HELD),
        (0.78, 0.82, Score.HELD),
        (0.79, 0.9, Score.UNDECIDED),
        (0.5, 0.81, Score.UNDECIDED),
        (0.79, 0.81, Score.UNDECIDED),
        (0.83, 1.2, Score.MISSED),
        (0.5, 0.77, Score.MISSED),
    ],
)
def test_a_prediction_is_held_missed_or_undecided(low, high, said):
    interval = Interval(middle=0.8, low=0.78, high=0.82, level=0.95, method="Student's t", count=5)
    assert score(low, high, interval) is said


def test_a_prediction_about_a_row_without_an_interval_is_undecided():
    assert score(0.1, 9.0, None) is Score.UNDECIDED


def test_predictions_are_scored_in_the_sections_that_they_are_about():
    predictions = (
        Prediction(target=RUNSERVER, ratio=(0.7, 0.9), source="a talk"),
        Prediction(target=RUNSERVER, ratio=(0.1, 0.2), source="elsewhere", cpus=2),
        Prediction(target=RUNSERVER, ratio=(0.1, 0.2), source="elsewhere", workload="wait"),
    )
    section = section_of(even(), paired(RUNSERVER, around(0.8)), predictions=predictions)
    (scored,) = section.predictions
    assert (scored.name, scored.low, scored.high, scored.source, scored.score) == (
        RUNSERVER,
        0.7,
        0.9,
        "a talk",
        Score.HELD,
    )
    assert scored.interval == rows_of(section)[RUNSERVER].ratio_interval
