"""Faults against targets, and pictures of cells."""

import xml.etree.ElementTree as ET

import msgspec
import pytest

from serverlab.analysis.failures import failure_table, overview
from serverlab.errors import UsageError
from serverlab.model.faults import Probing, Rule, Verdict
from serverlab.reports.failures import (
    COLUMNS,
    render_fault,
    render_matrix,
    render_server,
    render_whole_matrix,
    rule_in_words,
)
from serverlab.reports.timeline import phases, picture, picture_name
from tests.unit.broken import KILLED, a_cell, a_fault_run, a_toll
from tests.unit.builders import GTHREAD, RUNSERVER

SVG = "{http://www.w3.org/2000/svg}"
LATE = "not recovered within 12 s"


def a_table():
    return failure_table(
        a_fault_run(
            [
                a_cell(1, measured={"exit_code": 137.0}),
                a_cell(2, toll=a_toll(longest_gap_s=0.7, failed_by={})),
                a_cell(1, target=RUNSERVER),
                a_cell(
                    2,
                    target=RUNSERVER,
                    verdict=Verdict.FAIL,
                    reason=LATE,
                    toll=a_toll(lost=1, to_recovery_s=None),
                ),
            ]
        )
    )


def test_the_matrix_has_a_sign_for_each_target_and_how_often_it_was_so():
    lines = render_matrix(a_table(), "").splitlines()
    assert lines[:3] == [
        "| id | fault | gunicorn:gthread | runserver:threaded |",
        "| :-- | :-- | :-- | :-- |",
        "| [F-01](faults/F-01.md) | worker killed | ✓ | ✗ 1/2 |",
    ]


def test_the_whole_matrix_tells_repetitions_and_leaves_empty_what_nobody_tried():
    older = msgspec.structs.replace(a_table(), run="faults/20261121-000000")
    skipped = {f"{KILLED} {RUNSERVER}": "no worker to kill"}
    newer = failure_table(a_fault_run([a_cell(1, verdict=Verdict.FAIL)], skipped=skipped))
    fault = "| [F-01](../faults/F-01.md) | worker killed |"
    lines = render_whole_matrix(
        overview([older, newer], [RUNSERVER, GTHREAD]), pages="../faults"
    ).splitlines()
    assert lines[:3] == [
        "| id | fault | runserver:threaded | gunicorn:gthread |",
        "| :-- | :-- | :-- | :-- |",
        f"{fault} ✗ 1/2 | ✓ 2 |",
    ]
    assert lines[-2:] == ["", "- `faults/20261121-000000`: 2 verdicts"]
    alone = render_whole_matrix(overview([newer], [RUNSERVER, GTHREAD]), pages="../faults").splitlines()
    assert alone[2] == f"{fault} – | ✗ 1 |"


def test_a_fault_is_told_with_its_rule_its_toll_and_why_it_was_not_passed():
    lines = render_fault(a_table(), KILLED).splitlines()
    assert lines[:11] == [
        "- Done: The process that answers gets SIGKILL.",
        f"- To pass: {rule_in_words(Rule(longest_gap_s=5.0))}",
        "- Time: 3 s before, 2 s under the fault, observed for 12 s after it",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "| :-- | :-- | :-- | :-- | :-- | :-- | :-- | :-- | :-- |",
        "| gunicorn:gthread | ✓ pass | 0 | 5 (0–10) | 2 | 0.60 (0.50–0.70) | 1.0 | 90 % | 2 pass |",
        "| runserver:threaded | ✗ 1/2 fail | 1 lost | 10 | 2 | 0.50 | 1.0, not in 1 | 90 % | 1 pass 1 fail |",
        "",
        "- runserver:threaded: not recovered within 12 s",
        "- gunicorn:gthread: exit code 137",
    ]


def test_writes_that_may_repeat_are_told_beside_the_table_and_not_in_it():
    run = a_fault_run([a_cell(1, toll=a_toll(duplicate=2)), a_cell(1, target=RUNSERVER)])
    experiment = msgspec.structs.replace(run.plan.experiment, probing=Probing(guarded=False))
    lines = render_fault(failure_table(a_fault_run(run.cells, experiment=experiment)), KILLED).splitlines()
    assert [line for line in lines if "more than once" in line] == [
        "- gunicorn:gthread: 2 writes there more than once, as they may be here"
    ]
    assert [line.split(" | ")[1:3] for line in lines if line.startswith("| gunicorn")] == [["✓ pass", "0"]]


@pytest.mark.parametrize("render", [render_matrix, render_fault])
def test_a_fault_that_the_run_has_not_is_an_error_that_names_those_it_has(render):
    with pytest.raises(UsageError, match="no fault 'F-99'") as raised:
        render(a_table(), "F-99")
    assert raised.value.hint == "There are: F-01"


def test_a_rule_is_told_whole():
    rule = Rule(
        recovers=False, failures_at_most=2, goodput_at_least=0.95, measured_at_most={"in_flight_lost": 0}
    )
    assert rule_in_words(rule) == (
        "no acknowledged write is lost, doubled or torn; at most 2 attempts fail; 95 % of the successes per second are "
        "left under the fault; in flight lost is at most 0"
    )


def test_the_phases_are_of_whole_seconds():
    assert list(phases(a_cell()))[2:] == [
        "| before | 2 | 30.0 | 0 | 4.00 | 9.00 | 0 |",
        "| under the fault | 2 | 10.0 | 20.0 | 40.0 | 300 | 1 |",
        "| after | 1 | 30.0 | 0 | 4.00 | 8.00 | 0 |",
    ]


def test_a_picture_is_named_after_the_run_and_the_cell():
    assert picture_name("faults/R", a_cell()) == "faults-R-r01-F-01-gunicorn:gthread.svg"


def drawn(cell):
    return ET.fromstring(picture(cell, title="<F-01>"))  # noqa: S314 - our own text


def test_a_picture_is_whole_xml_that_tells_what_it_shows():
    root = drawn(a_cell())
    assert root.findtext(f"{SVG}title") == "<F-01>"
    assert root.findtext(f"{SVG}desc") == (
        "before: 60 ok, 0 failed in 2 s; under the fault: 20 ok, 40 failed in 2 s; after: 30 ok, 0 failed in 1 s"
    )


def test_a_picture_has_a_bar_for_each_second_with_requests_of_that_kind():
    kinds = [each.get("class") for each in drawn(a_cell()).iter(f"{SVG}rect")]
    assert (kinds.count("ok"), kinds.count("failed"), kinds.count("band")) == (6, 2, 1)


def test_a_second_without_an_answer_is_a_gap_in_the_lines_and_no_zero():
    lines = [each for each in drawn(a_cell()).iter(f"{SVG}polyline") if each.get("class") == "line p99"]
    assert [len(each.get("points").split()) for each in lines] == [3, 3]


def test_a_fault_that_was_never_removed_has_no_band():
    kinds = [each.get("class") for each in drawn(a_cell(events=())).iter(f"{SVG}rect")]
    assert "band" not in kinds


def test_a_control_of_the_instrument_is_told_below_the_matrix():
    table = a_table()
    facts = {KILLED: msgspec.structs.replace(table.faults[KILLED], rule=Rule(must_lose=True))}
    lines = render_matrix(msgspec.structs.replace(table, faults=facts), "").splitlines()
    assert lines[:5] == [
        "| id | fault | gunicorn:gthread | runserver:threaded |",
        "| :-- | :-- | :-- | :-- |",
        "",
        "✓ passed the rule of the fault, ✗ did not, ? not shown, – has no meaning there; 2/5: in so many repetitions.",
        "",
    ]
    assert lines[5] == (
        "Control [F-01](faults/F-01.md), which passes where loss is seen, as it has to be: gunicorn:gthread ✓, "
        "runserver:threaded ✗ 1/2."
    )


def test_a_server_is_told_what_each_fault_cost_its_targets_and_nothing_of_others():
    row = "✗ 1/2 fail | 1 lost | 10 | 2 | 0.50 | 1.0, not in 1 | 90 % | 1 pass 1 fail"
    assert render_server(a_table(), "runserver", pages="../faults").splitlines()[:8] == [
        f"| id | fault | {' | '.join(COLUMNS)} |",
        "| :-- | :-- | :-- | :-- | :-- | :-- | :-- | :-- | :-- | :-- | :-- |",
        f"| [F-01](../faults/F-01.md) | worker killed | runserver:threaded | {row} |",
        "",
        "- F-01 runserver:threaded: not recovered within 12 s",
        "",
        "Run `faults/20261122-150000`:",
        "",
    ]


def test_a_fault_that_differs_in_a_letter_has_the_page_of_the_other_one():
    table = a_table()
    twin = msgspec.structs.replace(table, faults={"F-01r": table.faults[KILLED]})
    assert "| [F-01r](faults/F-01.md) | worker killed |" in render_matrix(twin, "")


def test_what_has_no_meaning_on_a_server_is_no_row_and_has_its_reason():
    run = a_fault_run([], skipped={f"{KILLED} {RUNSERVER}": "lacks the capability workers"})
    assert render_server(failure_table(run), "runserver").splitlines()[:3] == [
        "- F-01 runserver:threaded: lacks the capability workers",
        "",
        "Run `faults/20261122-150000`:",
    ]


def test_a_control_of_the_instrument_says_nothing_of_a_server():
    table = a_table()
    facts = {KILLED: msgspec.structs.replace(table.faults[KILLED], rule=Rule(must_lose=True))}
    told = render_server(msgspec.structs.replace(table, faults=facts), "gunicorn")
    assert KILLED not in told


@pytest.mark.parametrize(
    ("server", "only", "mistake"),
    [("daphne", "", "no target of 'daphne'"), ("gunicorn", "F-9", "no fault 'F-9'")],
)
def test_a_server_or_a_fault_that_the_run_has_not_is_an_error(server, only, mistake):
    with pytest.raises(UsageError, match=mistake):
        render_server(a_table(), server, only)
