"""Each doubt about a ratio or a gain when there is a reason for it, and when there is just none."""

from __future__ import annotations

import pytest

from serverlab.analysis import tabulate
from serverlab.model.records import CoreSplit
from serverlab.model.tables import DoubtKind
from tests.unit.builders import (
    GTHREAD,
    RUNSERVER,
    a_load,
    a_plan,
    a_run,
    a_trial,
    a_usage,
    a_void_trial,
    an_environment,
    trials,
)

FIVE = (400, 401, 402, 403, 404)
SLOWER = (300, 301, 302, 303, 304)
APART = CoreSplit(stack="0", generator="2", disjoint=True)
SHARED = CoreSplit(stack="0-1", generator="1", disjoint=False)


def doubts_of(*groups, **parts):
    """The doubts of the last section, by kind."""
    section = tabulate(a_run(*groups, **parts)).sections[-1]
    return {doubt.kind: doubt for doubt in section.doubts}


def said(found, kind):
    """The doubt's sentences with their targets, None where it is not raised."""
    return [(*each.targets, each.text) for each in found[kind].details] if kind in found else None


def gains(one, two, **splits):
    """The doubts of runserver on two cores, whose rates on one core and on two are these."""
    return doubts_of(
        trials(GTHREAD, *FIVE),
        trials(GTHREAD, *(rate * 1.9 for rate in FIVE), cpus=2, usage={}),
        trials(RUNSERVER, *one),
        trials(RUNSERVER, *two, cpus=2, usage={}),
        plan=a_plan(cpus=(1, 2)),
        environment=an_environment(core_splits={"1": APART, "2": APART} | splits),
    )


@pytest.mark.parametrize(
    ("cores", "text"), [(0.70, None), (0.75, "gunicorn:gthread: up to 75 % of a core")], ids=["free", "bound"]
)
def test_reference_bound_when_the_generator_was_near_its_ceiling_for_the_reference(cores, text):
    busy = trials(GTHREAD, *FIVE, usage={"app": a_usage(0.95), "load": a_usage(cores)})
    found = doubts_of(busy, trials(RUNSERVER, *SLOWER))
    assert said(found, DoubtKind.REFERENCE_BOUND) == ([(text,)] if text else None)


def test_reference_bound_is_not_said_of_another_row():
    busy = trials(RUNSERVER, *SLOWER, usage={"app": a_usage(0.95), "load": a_usage(0.8)})
    assert DoubtKind.REFERENCE_BOUND not in doubts_of(trials(GTHREAD, *FIVE), busy)


@pytest.mark.parametrize(
    ("rates", "text"),
    [
        # medians 290 and 300; ratios 1.45, 1.1, 0.725
        ((290, 330, 290), "ratio of the medians 0.97, mean of the ratios 1.05"),
        ((220, 330, 360), None),  # 1.1 and 1.1
        ((220, 300, 360), None),  # 1 and 1
        ((180, 270, 440), None),  # 0.9 and 0.9
    ],
)
def test_unstable_order_when_medians_and_pairs_disagree(rates, text):
    found = doubts_of(trials(GTHREAD, 200, 300, 400), trials(RUNSERVER, *rates))
    if text is None:
        assert DoubtKind.UNSTABLE_ORDER not in found
    else:
        assert said(found, DoubtKind.UNSTABLE_ORDER) == [(RUNSERVER, text)]


def test_ratio_pairs_when_a_round_of_the_reference_is_missing():
    reference = [*trials(GTHREAD, *FIVE[:4]), a_void_trial(GTHREAD, round=5, reasons=("died",))]
    found = doubts_of(reference, trials(RUNSERVER, *SLOWER))
    assert said(found, DoubtKind.RATIO_PAIRS) == [(RUNSERVER, "ratio rests on 4 of 5 rounds")]


def test_ratio_pairs_when_no_round_is_common():
    found = doubts_of(trials(GTHREAD, 400), [a_trial(RUNSERVER, round=2)])
    assert said(found, DoubtKind.RATIO_PAIRS) == [(RUNSERVER, "ratio rests on 0 of 1 round")]


def test_ratio_pairs_are_complete_where_only_the_row_lacks_a_round():
    assert DoubtKind.RATIO_PAIRS not in doubts_of(trials(GTHREAD, *FIVE), trials(RUNSERVER, *SLOWER[:4]))


def test_ratio_pairs_without_any_reference_are_another_doubt():
    assert DoubtKind.RATIO_PAIRS not in doubts_of(trials(RUNSERVER, *SLOWER))


def test_ratio_pairs_of_a_gain():
    found = gains(SLOWER[:4], [rate * 1.5 for rate in SLOWER])
    assert said(found, DoubtKind.RATIO_PAIRS) == [(RUNSERVER, "gain by cores rests on 4 of 5 rounds")]


def opening(target, rates, opened_share):
    """Valid trials in which so many of the requests opened a connection."""
    return [
        a_trial(
            target,
            round=number,
            load=a_load(rate, connections={"opened": round(rate * 10 * opened_share), "replaced": 0}),
        )
        for number, rate in enumerate(rates, start=1)
    ]


@pytest.mark.parametrize(
    ("row", "reference", "text"),
    [
        (
            1.0,
            0.0,
            "a new connection for every request: opened for 100 % of the requests, by the reference for none",
        ),
        (
            0.5,
            0.1,
            "a new connection for every request: opened for 50 % of the requests, by the reference for 10 %",
        ),
        (0.0, 1.0, "connections kept: opened for none of the requests, by the reference for 100 %"),
        (0.4, 0.0, None),
        (1.0, 1.0, None),  # ping-close
    ],
)
def test_new_connections_when_row_and_reference_differ(row, reference, text):
    found = doubts_of(opening(GTHREAD, [400] * 5, reference), opening(RUNSERVER, [300] * 5, row))
    assert said(found, DoubtKind.NEW_CONNECTIONS) == ([(RUNSERVER, text)] if text else None)


def test_new_connections_are_not_guessed_where_a_run_does_not_say():
    found = doubts_of(trials(GTHREAD, *FIVE), opening(RUNSERVER, SLOWER, 1.0))
    assert DoubtKind.NEW_CONNECTIONS not in found


@pytest.mark.parametrize(
    ("two", "text"),
    [
        ((101, 110, 120, 130, 140), None),
        # half width of the logs: t(0.975, 4) = 2.776 for one that is not shown, gunicorn's gain being
        ((90, 110, 120, 130, 140), "1.17 [0.94–1.44], less than 24 % would not show"),
        ((70, 75, 80, 85, 90), None),
    ],
)
def test_no_gain_when_the_interval_of_the_paired_gains_includes_1(two, text):
    found = gains([100] * 5, two)
    assert said(found, DoubtKind.NO_GAIN) == ([(RUNSERVER, text)] if text else None)


@pytest.mark.parametrize(
    ("highest", "text"), [(200, None), (231, "1.77, rounds 1.50–2.31, 2 times the cores")]
)
def test_impossible_gain_above_the_ratio_of_the_budgets(highest, text):
    found = gains([100] * 5, (150, 160, 175, 180, highest))
    assert said(found, DoubtKind.IMPOSSIBLE_GAIN) == ([(RUNSERVER, text)] if text else None)


@pytest.mark.parametrize(
    ("splits", "text"),
    [
        ({}, None),
        ({"1": SHARED, "2": SHARED}, None),
        ({"2": SHARED}, "shared with 2 cores only: every gain is at least what is shown"),
        ({"1": SHARED}, "shared with 1 core only: every gain is at most what is shown"),
    ],
)
def test_gain_bound_when_only_one_budget_was_shared(splits, text):
    found = gains([100] * 5, [150] * 5, **splits)
    assert said(found, DoubtKind.GAIN_BOUND) == ([(text,)] if text else None)


def test_gain_bound_is_not_said_at_the_smallest_budget():
    run = a_run(
        trials(GTHREAD, *FIVE),
        trials(GTHREAD, *FIVE, cpus=2),
        plan=a_plan(cpus=(1, 2)),
        environment=an_environment(core_splits={"1": APART, "2": SHARED}),
    )
    assert DoubtKind.GAIN_BOUND not in {doubt.kind for doubt in tabulate(run).sections[0].doubts}
