"""What a run says of its generator's ceiling, and which trial goes with which."""

from __future__ import annotations

import pytest

from serverlab.analysis import tabulate
from serverlab.analysis.ceilings import ceilings_told
from serverlab.model.ceilings import Ceiling, Ceilings, Connections, LoadSetup
from serverlab.model.definitions import Arrival
from serverlab.model.tables import Spread
from tests.unit.builders import GTHREAD, RUNSERVER, a_load, a_plan, a_run, a_trial, a_void_trial


def a_setup(**changes):
    plain = {"users": 16, "connections": Connections.KEPT, "arrival": Arrival.CLOSED, "cpus": 1}
    return LoadSetup(**plain | changes)


def a_ceiling(rps=2000.0, *, reason=None, **setup):
    return Ceiling(
        setup=a_setup(**setup),
        measured_at="2026-11-22T10:17:00+00:00",
        rps=rps,
        generator_cores=0.987 if rps else None,
        reason=reason,
    )


def load(rps, *, opened=16, **changes):
    return a_load(rps, connections={"opened": opened, "replaced": 0}, **changes)


@pytest.mark.parametrize(
    ("seen", "setup"),
    [
        (load(400.0), a_setup()),
        (load(400.0, opened=2000), a_setup()),
        (load(400.0, opened=2001), a_setup(connections=Connections.NEW)),
        (load(400.0, users=64, arrival="open"), a_setup(users=64, arrival=Arrival.OPEN)),
        (load(400.0, by_name={"WS ping": a_load(400.0).latency}), None),
        (a_load(400.0), None),
        (load(0.0), None),
        (None, None),
    ],
    ids=[
        "kept",
        "half opened",
        "most opened",
        "open",
        "sockets",
        "not counted",
        "nothing ended",
        "no result",
    ],
)
def test_a_trials_set_up_is_what_was_seen_of_it(seen, setup):
    assert a_trial(load=seen).setup == setup


def run_of(*ceilings, cpus=(1,)):
    return a_run(
        [
            a_trial(GTHREAD, round=1, load=load(400.0)),
            a_trial(GTHREAD, round=2, load=load(500.0)),
            a_trial(RUNSERVER, round=1, load=load(300.0)),
            a_void_trial(RUNSERVER, round=2, load=load(1900.0), reasons=("generator-bound",)),
        ],
        plan=a_plan(rounds=2, cpus=cpus),
        ceilings=Ceilings(ceilings=ceilings),
    )


def test_a_run_says_what_its_generator_could_ask_and_who_used_most_of_it():
    told = (
        "16 users, kept connections: 2000 requests/s with 99 % of a core, "
        "of which gunicorn:gthread used at most 25 %"
    )
    assert ceilings_told(run_of(a_ceiling())) == told
    facts = {fact.label: fact.value for fact in tabulate(run_of(a_ceiling())).facts}
    assert facts["Generator's ceiling"] == told


def test_several_set_ups_are_told_in_order_with_their_budgets_and_without_what_is_not_known():
    given = (
        a_ceiling(None, cpus=2, reason="null did not start"),
        a_ceiling(1500.0, arrival=Arrival.OPEN, users=64),
        a_ceiling(900.0, connections=Connections.NEW, users=1),
    )
    assert ceilings_told(run_of(*given, cpus=(1, 2))) == (
        "1 user, new connections, 1 core for the stack: 900 requests/s with 99 % of a core; "
        "open arrival, at most 64 users, kept connections, 1 core for the stack: "
        "1500 requests/s with 99 % of a core; "
        "16 users, kept connections, 2 cores for the stack: not known, null did not start"
    )


def test_a_run_without_ceilings_has_no_such_fact_and_no_shares():
    table = tabulate(run_of())
    assert "Generator's ceiling" not in [fact.label for fact in table.facts]
    assert {row.ceiling_share for row in table.sections[0].rows} == {None}


def test_each_row_has_its_share_of_the_ceiling():
    first, second = tabulate(run_of(a_ceiling())).sections[0].rows
    assert first.ceiling_rps == Spread(median=2000.0, low=2000.0, high=2000.0, mad=0.0, count=2)
    assert (first.ceiling_share.low, first.ceiling_share.median) == (0.2, 0.225)
    assert second.ceiling_share == Spread(median=0.15, low=0.15, high=0.15, mad=0.0, count=1)


def test_a_row_with_a_round_of_another_set_up_has_no_share():
    run = a_run(
        [
            a_trial(GTHREAD, round=1, load=load(400.0)),
            a_trial(GTHREAD, round=2, load=load(400.0, opened=4000)),
        ],
        plan=a_plan(rounds=2),
        ceilings=Ceilings(ceilings=(a_ceiling(),)),
    )
    assert tabulate(run).sections[0].rows[0].ceiling_share is None
