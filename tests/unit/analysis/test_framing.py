"""What was seen on a connection, whether requests were kept apart, and what many targets come to."""

from __future__ import annotations

import pytest

from serverlab.analysis.framing import cell, differing, framing_table, kind_of, smuggled
from serverlab.model.framing import FramingCell, FramingNote, Kind, Logged
from serverlab.model.security import Verdict
from tests.unit.framing.records import EDGED, GTHREAD, a_differential, a_framed, an_answer

SENT = ("first", "tail", "other")


def logged(role, body_bytes=0):
    return Logged(role=role, method="GET", path="/lab/echo", body_bytes=body_bytes)


KEPT_APART = [logged("first", 5), logged("tail"), logged("other")]


@pytest.mark.parametrize(
    ("statuses", "closed", "broke", "kind"),
    [
        ([200, 200], True, False, Kind.ACCEPT),
        ([404], False, False, Kind.REJECT),
        ([500, 200], True, False, Kind.REJECT),
        ([200], True, True, Kind.REJECT),
        ([0], True, False, Kind.ACCEPT),
        ([], True, False, Kind.CLOSED),
        ([], False, False, Kind.SILENT),
    ],
)
def test_the_first_answer_says_what_became_of_the_first_message(statuses, closed, broke, kind):
    assert kind_of(statuses, closed=closed, broke=broke) is kind


def test_requests_that_arrive_as_they_were_sent_are_kept_apart():
    assert smuggled(SENT, KEPT_APART, answered_by="other", handed_on=[*SENT]) == ""


def test_fewer_than_were_handed_on_are_no_smuggling_for_a_server_may_refuse():
    assert smuggled(SENT, KEPT_APART[1:], answered_by="other", handed_on=[*SENT]) == ""


def test_an_innocent_request_that_nobody_answered_is_no_smuggling():
    assert smuggled(SENT, KEPT_APART[:1], answered_by=None) == ""


@pytest.mark.parametrize(
    ("found", "answered_by", "handed_on", "why"),
    [
        ([*KEPT_APART, logged("smug")], "other", None, "the hidden request reached the app"),
        (
            [*KEPT_APART, logged("smug")],
            "other",
            [*SENT, "smug"],
            "the hidden request reached the app, the edge took it for a message as well",
        ),
        (
            [*KEPT_APART, logged("smug")],
            "other",
            [*SENT],
            "the hidden request reached the app, of which the edge knows nothing",
        ),
        ([*KEPT_APART, logged("second")], "other", [*SENT, "second"], "the app got what nobody sent: second"),
        ([*KEPT_APART, logged("first", 5)], "other", [*SENT, "second"], "the app got more than once: first"),
        ([logged("tail", 7)], "other", ["first"], "a later request without a body got one of 7 bytes"),
        ([logged("other", 9)], "other", ["first"], "a later request without a body got one of 9 bytes"),
        (KEPT_APART, "smug", [*SENT], "a request on another connection got the answer to 'smug'"),
        (KEPT_APART, "other", ["first", "tail"], "the edge handed on 2, the app got 3"),
    ],
)
def test_whatever_crosses_the_border_of_a_message_is_smuggling(found, answered_by, handed_on, why):
    assert smuggled(SENT, found, answered_by=answered_by, handed_on=handed_on) == why


def test_a_cell_counts_forms_by_what_they_came_to():
    found = a_framed(
        an_answer("a"),
        an_answer("b", verdict=Verdict.FAIL, said="200"),
        an_answer("c", verdict=Verdict.FAIL, said="200", smuggled="it was"),
    )
    assert cell(found) == FramingCell(forms=3, otherwise=2, unknown=0, smuggled=1)
    assert cell(a_framed(problem="no stack")) == FramingCell(forms=0, otherwise=0, unknown=1, smuggled=0)


def test_a_table_has_both_sides_of_the_edge_and_one_note_for_equal_words():
    other = {"verdict": Verdict.FAIL, "said": "200"}
    table = framing_table(
        a_differential(
            a_framed(an_answer("b", **other), an_answer("a", **other)),
            a_framed(an_answer("b", **other, smuggled="it was"), an_answer("a"), target=EDGED),
            a_framed(case="H-02", problem="no stack"),
        )
    )
    assert (table.direct, table.behind_edge) == ((GTHREAD,), (EDGED,))
    assert [(row.case, sorted(row.cells)) for row in table.rows] == [
        ("H-01", [GTHREAD, EDGED]),
        ("H-02", [GTHREAD]),
    ]
    assert table.notes == (
        FramingNote(case="H-01", form="b", said="it was", targets=(EDGED,), smuggled=True),
        FramingNote(case="H-01", form="b", said="200", targets=(GTHREAD, EDGED), smuggled=False),
        FramingNote(case="H-01", form="a", said="200", targets=(GTHREAD,), smuggled=False),
        FramingNote(case="H-02", form="", said="no stack", targets=(GTHREAD,), smuggled=False),
    )


def test_two_runs_that_saw_the_same_do_not_differ():
    run = a_differential(a_framed(an_answer("a", measured={"cpu_s": 0.1})))
    assert differing(run, a_differential(a_framed(an_answer("a", measured={"cpu_s": 0.2})))) == []


def test_what_two_runs_saw_differently_is_told_form_by_form():
    one = a_differential(a_framed(an_answer("a"), an_answer("b")))
    closed = an_answer(
        "a", kind=Kind.CLOSED, statuses=(), requests=0, verdict=Verdict.FAIL, smuggled="it was"
    )
    assert differing(one, a_differential(a_framed(closed))) == [
        f"{GTHREAD} H-01 a: accept 200/200, 1 requests; closed no answer, 0 requests, smuggled",
        f"{GTHREAD} H-01 b: accept 200/200, 1 requests; not asked",
    ]
