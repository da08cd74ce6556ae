"""How precise a row is, and whether that was asked for."""

from __future__ import annotations

import msgspec
import pytest

from serverlab.analysis import Precision, precision, tabulate
from serverlab.analysis.precision import half_width
from serverlab.model.records import Until
from serverlab.model.tables import Interval
from tests.unit.builders import GTHREAD, RUNSERVER, UWSGI, a_plan, a_run, a_void_trial, trials

EVEN = (400,) * 8


def asked(*groups, column="ratio", within=0.05, rounds=8):
    plan = a_plan(targets=(GTHREAD, RUNSERVER, UWSGI), rounds=rounds)
    plan = msgspec.structs.replace(plan, until=Until(column=column, within=within, budget_s=90.0))
    return precision(plan, tabulate(a_run(*groups, plan=plan)).sections)


def noisy(share, count=8):
    return tuple(300 * (1 + share * (-1) ** number) for number in range(count))


def test_the_half_width_is_the_same_share_to_either_side_of_the_geometric_middle():
    interval = Interval(middle=2.0, low=2.0 / 1.1, high=2.0 * 1.1, level=0.95, method="t", count=8)
    assert half_width(interval) == pytest.approx(0.1)


def test_a_run_of_which_nothing_was_asked_has_no_precision():
    assert precision(a_plan(), ()) is None


def test_every_row_but_the_reference_has_to_be_narrow():
    found = asked(trials(GTHREAD, *EVEN), trials(RUNSERVER, *noisy(0.01)), trials(UWSGI, *noisy(0.02)))
    assert (found.wide, found.reached) == ({}, True)
    assert str(found) == "added until ratio ±5% or 1.5 min of trials: reached after 8 rounds"


def test_a_row_that_is_too_wide_is_named_with_its_width():
    found = asked(trials(GTHREAD, *EVEN), trials(RUNSERVER, *noisy(0.01)), trials(UWSGI, *noisy(0.2)))
    # logs of 1.2 and 0.8 in turns: deviation 0.2167, error 0.0766, t(0.975, 7) = 2.3646: 0.1812
    assert found.wide == {"uwsgi:http, profile, 1 core": "±20 %"}
    assert not found.reached


def test_of_many_wide_rows_the_widest_are_named():
    names = [f"row {number}" for number in range(5)]
    found = Precision(
        until=Until(column="ratio", within=0.05, budget_s=90.0), rounds=3, wide=dict.fromkeys(names, "±7 %")
    )
    assert str(found) == (
        "added until ratio ±5% or 1.5 min of trials: not reached in 3 rounds: "
        "row 0: ±7 %; row 1: ±7 %; row 2: ±7 %; and 2 more rows"
    )


def test_the_widest_row_comes_first_after_those_without_an_interval():
    found = asked(trials(GTHREAD, *EVEN), trials(RUNSERVER, *noisy(0.2)), trials(UWSGI, *noisy(0.3)))
    assert list(found.wide) == ["uwsgi:http, profile, 1 core", "runserver:threaded, profile, 1 core"]
    found = asked(trials(GTHREAD, *EVEN), trials(RUNSERVER, *noisy(0.2)), trials(UWSGI, *EVEN[:2]))
    assert list(found.wide) == ["uwsgi:http, profile, 1 core", "runserver:threaded, profile, 1 core"]


@pytest.mark.parametrize(("count", "why"), [(2, "no interval"), (7, "only 7 rounds")])
def test_few_rounds_are_not_enough_however_narrow(count, why):
    found = asked(trials(GTHREAD, *EVEN[:count]), trials(RUNSERVER, *noisy(0.001, count)), rounds=count)
    assert found.wide == {"runserver:threaded, profile, 1 core": why}


def test_a_row_without_a_valid_trial_is_not_waited_for_but_named():
    void = [a_void_trial(UWSGI, round=number, reasons=("died",)) for number in range(1, 9)]
    found = asked(trials(GTHREAD, *EVEN), trials(RUNSERVER, *noisy(0.01)), void)
    assert found.reached
    assert found.without == ("uwsgi:http, profile, 1 core",)
    assert str(found).endswith("; without a valid trial: uwsgi:http, profile, 1 core")


def test_requests_per_second_are_asked_of_the_reference_too():
    found = asked(trials(GTHREAD, *noisy(0.2)), trials(RUNSERVER, *EVEN), column="rps")
    assert list(found.wide) == ["gunicorn:gthread, profile, 1 core"]


def test_what_was_asked_stands_beside_the_table():
    plan = msgspec.structs.replace(a_plan(), until=Until(column="ratio", within=0.05, budget_s=3600.0))
    facts = {fact.label: fact.value for fact in tabulate(a_run(trials(GTHREAD, *EVEN), plan=plan)).facts}
    assert facts["Rounds"] == "added until ratio ±5% or 60 min of trials: reached after 5 rounds"
