"""Sections whose rows are workloads on one target, against values worked by hand."""

from __future__ import annotations

from serverlab.analysis import tabulate
from serverlab.model.records import Inspection
from serverlab.model.tables import DoubtKind, RowState, Spread
from tests.unit.builders import (
    GTHREAD,
    RUNSERVER,
    a_latency,
    a_load,
    a_plan,
    a_proof,
    a_run,
    a_trial,
    a_void_trial,
    trials,
)

PLAN = a_plan(
    workloads=(),
    reference=None,
    comparisons={"lists:join-10": ("lists:naive-10",), "lists:join-99": ("lists:naive-99",)},
    targets=(GTHREAD, RUNSERVER),
    rounds=2,
)
STATED = {"session_store": "database", "login_limits": "False"}


def section_of(*groups, target=0):
    return tabulate(a_run(*groups, plan=PLAN)).sections[target]


def row_of(section, name):
    return next(row for row in section.rows if row.name == name)


def spread(median, low, high):
    return Spread(median=median, low=low, high=high, mad=(high - low) / 2, count=2)


def test_there_is_a_section_for_each_target_with_the_workloads_in_the_order_of_the_experiment():
    sections = tabulate(a_run(trials(GTHREAD, 100, 100, workload="lists:naive-10"), plan=PLAN)).sections
    assert [(each.workload, each.target, each.edge) for each in sections] == [
        (None, GTHREAD, None),
        (None, RUNSERVER, None),
    ]
    rows = [(row.name, row.target, row.workload) for row in sections[0].rows]
    assert rows == [
        (name, GTHREAD, name)
        for name in ("lists:join-10", "lists:naive-10", "lists:join-99", "lists:naive-99")
    ]


def test_each_workload_is_divided_by_its_own_reference_on_the_same_target_in_the_same_round():
    section = section_of(
        trials(GTHREAD, 400, 200, workload="lists:join-10"),
        trials(GTHREAD, 100, 100, workload="lists:naive-10"),
        trials(GTHREAD, 50, 40, workload="lists:join-99"),
        trials(GTHREAD, 10, 10, workload="lists:naive-99"),
        trials(RUNSERVER, 999, 999, workload="lists:join-10"),
    )
    assert {row.name: row.ratio for row in section.rows} == {
        "lists:join-10": None,
        "lists:naive-10": spread(0.375, 0.25, 0.5),
        "lists:join-99": None,
        "lists:naive-99": spread(0.225, 0.2, 0.25),
    }
    assert [row.name for row in section.rows if row.reference] == ["lists:join-10", "lists:join-99"]
    assert row_of(section, "lists:naive-99").compared_with == "lists:join-99"
    assert section.reference is None


def test_a_reference_without_a_valid_trial_is_named_and_the_other_ratios_stay():
    section = section_of(
        [a_void_trial(GTHREAD, reasons=("died",), workload="lists:join-10")],
        trials(GTHREAD, 100, 100, workload="lists:naive-10"),
        trials(GTHREAD, 50, 40, workload="lists:join-99"),
        trials(GTHREAD, 10, 10, workload="lists:naive-99"),
    )
    doubt = next(each for each in section.doubts if each.kind is DoubtKind.NO_REFERENCE)
    assert [detail.text for detail in doubt.details] == ["the reference lists:join-10 has no valid trial"]
    assert row_of(section, "lists:join-10").state is RowState.VOID
    assert row_of(section, "lists:naive-10").ratio is None
    assert row_of(section, "lists:naive-99").ratio == spread(0.225, 0.2, 0.25)


def test_a_doubt_names_the_workloads_that_it_is_about():
    section = section_of(
        trials(GTHREAD, 400, 400, workload="lists:join-10"),
        trials(GTHREAD, 300, 500, workload="lists:naive-10"),
    )
    doubt = next(each for each in section.doubts if each.kind is DoubtKind.WIDE_SPREAD)
    assert [detail.targets for detail in doubt.details] == [("lists:naive-10",)]
    assert doubt.number in row_of(section, "lists:naive-10").doubts


def test_of_the_percentiles_only_those_that_are_shown_are_missed():
    few, enough = (a_load(latency=a_latency(count)) for count in (19, 150))
    section = section_of(
        [a_trial(GTHREAD, workload="lists:join-10", load=few)],
        [a_trial(GTHREAD, workload="lists:naive-10", load=enough)],
    )
    doubt = next(each for each in section.doubts if each.kind is DoubtKind.FEW_SAMPLES)
    assert [(detail.targets, detail.text) for detail in doubt.details] == [
        ((), "no row has p99: each has a round of 150 requests or fewer"),
        (("lists:join-10",), "no p50: 19 requests in a round"),
    ]


def test_queries_and_bytes_are_means_over_the_kinds_of_requests_as_often_as_each_was_asked():
    seen = {
        "GET /a": Inspection(request_bytes=100, response_bytes=1000, queries=2),
        "GET /b": Inspection(request_bytes=200, response_bytes=5000, queries=10),
    }
    load = a_load(by_name={"GET /a": a_latency(3000), "GET /b": a_latency(1000)}, inspections=seen)
    row = row_of(section_of([a_trial(GTHREAD, workload="lists:join-10", load=load)]), "lists:join-10")
    assert (row.queries.median, row.request_bytes.median, row.response_bytes.median) == (4.0, 125.0, 2000.0)


def test_what_was_not_seen_of_one_kind_of_request_is_not_said_of_the_row():
    seen = {"GET /a": Inspection(request_bytes=100, response_bytes=1000, queries=None)}
    by_name = {"GET /a": a_latency(3000)}
    untold = a_load(by_name=by_name, inspections=seen)
    unseen = a_load(by_name={**by_name, "GET /b": a_latency(1)}, inspections=seen)
    before = a_load(by_name=by_name)
    rows = [
        row_of(section_of([a_trial(GTHREAD, workload="lists:join-10", load=load)]), "lists:join-10")
        for load in (untold, unseen, before)
    ]
    assert [row.queries for row in rows] == [None, None, None]
    assert [row.request_bytes is None for row in rows] == [False, True, True]


def test_how_the_app_was_set_is_said_once_and_where_it_was_set_otherwise():
    proofs = {
        "lists:join-10": a_proof(**STATED),
        "lists:naive-10": a_proof(**STATED | {"session_store": "cache"}),
        "lists:join-99": a_proof(**STATED | {"password_hasher": "argon2"}),
    }
    section = section_of(
        *([a_trial(GTHREAD, workload=name, proof_before=proof)] for name, proof in proofs.items())
    )
    facts = {fact.label: fact.value for fact in section.conditions}
    assert facts["App"] == (
        "password hasher: md5 (lists:join-99: argon2); limits on signing in: off; "
        "sessions: database (lists:naive-10: cache)"
    )
    assert facts["Ratios"] == (
        "requests/s to those of the nearest reference above in the same round: "
        "geometric mean [95 % interval, of each row alone]"
    )
    assert "Workload" not in facts


def test_a_run_whose_stacks_did_not_say_how_the_app_was_set_says_nothing_of_it():
    run = a_run(trials(GTHREAD, 400, 400))
    assert "App" not in {fact.label for fact in tabulate(run).sections[0].conditions}


def test_the_workloads_stand_beside_the_table_in_words():
    facts = {fact.label: fact.value for fact in tabulate(a_run(plan=PLAN)).facts}
    assert facts["lists:naive-99"] == "JWT verified, user read"
