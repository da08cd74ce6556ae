"""Cases put to servers that are sound, or smuggle in one known way."""

from __future__ import annotations

import json
from types import SimpleNamespace

import docker.errors
import pytest
import requests.exceptions

from serverlab.compose import Engine
from serverlab.errors import LabError
from serverlab.framing import CASES, exchange, limits
from serverlab.framing.asking import Asked, Place, _costs, found, judge, place_of
from serverlab.framing.case import Case, Form
from serverlab.framing.exchange import Received
from serverlab.framing.record import Rows
from serverlab.framing.replies import Reply
from serverlab.framing.rules import refused
from serverlab.model.definitions import Target
from serverlab.model.framing import Kind, Logged
from serverlab.model.security import Verdict
from serverlab.sampler import Sample
from tests.fake_engine import ExecResult, FakeClient
from tests.unit.framing.smuggler import Planted, by_length, careful, serving, told


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(exchange, "PATIENCE_S", 0.5)
    monkeypatch.setattr(exchange, "CLOSING_S", 0.3)


def a_place(planted: Planted, port: int, *, threads: int = 0) -> Place:
    client = FakeClient()
    container = client.add("app", ports={8000: port})
    container.exec_run = lambda argv: told(planted.rows, argv)
    settings = SimpleNamespace(target=Target(server="gunicorn", variant="gthread", edge=None))
    place = place_of(
        Engine(client), SimpleNamespace(settings=settings, variant=SimpleNamespace(threads=threads))
    )
    vars(place)["access"] = "token"
    return place


def asked_of(framing, *cases):
    planted = Planted(framing)
    with serving(planted) as port:
        return list(found(a_place(planted, port), [CASES[name] for name in cases]))


def test_a_server_that_goes_by_lengths_alone_is_found_to_smuggle_where_chunks_come_first():
    (first,) = asked_of(by_length, "H-01")
    by_form = {answer.form: answer for answer in first.answers}
    smuggling = by_form["TE.CL"]
    assert (smuggling.smuggled, smuggling.requests) == ("the hidden request reached the app", 2)
    assert smuggling.verdict is Verdict.FAIL
    assert by_form["CL.TE"].smuggled == ""
    assert by_form["CL.TE"].body_bytes > 5


def test_a_name_that_is_nearly_content_length_lets_the_body_out():
    (found_there,) = asked_of(by_length, "H-04")
    assert {answer.smuggled for answer in found_there.answers} == {"the hidden request reached the app"}


def test_a_server_that_refuses_what_is_odd_smuggles_nothing_and_is_right():
    lines = asked_of(careful, "H-01", "H-02", "H-04", "H-14")
    answers = [answer for line in lines for answer in line.answers]
    assert [
        (answer.form, answer.said, answer.smuggled) for answer in answers if answer.said or answer.smuggled
    ] == []
    assert {answer.kind for line in lines[:3] for answer in line.answers} == {Kind.REJECT}
    assert [answer.requests for answer in lines[3].answers] == [2, 2]


def test_a_case_that_breaks_off_is_told_and_the_next_one_is_asked(monkeypatch):
    planted = Planted(careful)
    with serving(planted) as port:
        place = a_place(planted, port, threads=1)
        readings = iter([LabError("the stack has no container 'app'", ""), None])

        def rows(_record, _awaited):
            if error := next(readings):
                raise error
            return Rows(requests=(), settled=True)

        monkeypatch.setattr(type(place.record), "rows", rows)
        first, second = found(place, [CASES["H-07"], CASES["H-08"]])
    assert first.problem == "broke off: LabError: the stack has no container 'app'"
    assert (first.answers, second.problem, len(second.answers)) == ((), "", 1)


def test_what_reaches_the_app_after_its_case_was_judged_is_a_problem_of_that_case():
    """The request that is smuggled in comes on record only when the next case is being asked."""
    planted, readings = Planted(by_length), []

    def slow(argv):
        hidden = [row for row in planted.rows if row[1].endswith("-smug")]
        late = readings[0] if len(readings) == 1 else []
        readings.append(hidden)
        settled, rows = json.loads(told([row for row in planted.rows if row not in hidden], argv).output)
        return ExecResult(0, json.dumps([settled, rows + late]).encode())

    with serving(planted) as port:
        place = a_place(planted, port, threads=1)
        place.engine.service("app").exec_run = slow
        lines = list(found(place, [CASES["H-04"], CASES["H-07"]]))
    assert [line.case for line in lines] == ["H-04", "H-04", "H-07"]
    first, again, other = lines
    assert (first.problem, {answer.smuggled for answer in first.answers}) == ("", {""})
    assert again.problem.startswith("the app got more of it after it was judged: smug")
    assert (again.answers, other.problem) == (first.answers, "")


def test_an_app_that_does_not_come_to_rest_is_a_problem_beside_what_was_seen():
    planted = Planted(careful)

    def restless(argv):
        _, rows = json.loads(told(planted.rows, argv).output)
        return ExecResult(0, json.dumps([False, rows]).encode())

    with serving(planted) as port:
        place = a_place(planted, port)
        place.engine.service("app").exec_run = restless
        (line,) = found(place, [CASES["H-14"]])
    assert line.problem == "the app did not come to rest: what it got late may be missing"
    assert [answer.requests for answer in line.answers] == [2, 2]


def test_the_records_are_read_when_a_request_that_was_sent_after_all_is_among_them():
    planted, awaited = Planted(careful), []

    def read(argv):
        awaited.append((argv[-4], planted.rows[-1][1]))
        return told(planted.rows, argv)

    with serving(planted) as port:
        place = a_place(planted, port)
        place.engine.service("app").exec_run = read
        list(found(place, [CASES["H-14"]]))
    ((marker, last_row),) = awaited
    assert marker == last_row
    assert marker.endswith("-other")


def broken_by(error, monkeypatch):
    """What a case comes to where the records are read with this error."""
    planted = Planted(careful)
    with serving(planted) as port:
        place = a_place(planted, port)

        def rows(_record, _awaited):
            raise error

        monkeypatch.setattr(type(place.record), "rows", rows)
        return list(found(place, [CASES["H-07"]]))


@pytest.mark.parametrize(
    "error",
    [
        docker.errors.APIError("no", response=SimpleNamespace(status_code=500)),
        docker.errors.DockerException("no"),
        requests.exceptions.ConnectionError("refused"),
    ],
    ids=["it refuses", "it is odd", "it is gone"],
)
def test_a_failing_engine_is_no_finding_and_ends_the_asking(error, monkeypatch):
    with pytest.raises(type(error)):
        broken_by(error, monkeypatch)


@pytest.mark.parametrize("status", [404, 409])
def test_a_container_that_has_ended_breaks_the_case_off(status, monkeypatch):
    ended = docker.errors.APIError("no", response=SimpleNamespace(status_code=status, url="", reason=""))
    (line,) = broken_by(ended, monkeypatch)
    assert line.problem.startswith("broke off: APIError: ")


def test_nobody_at_the_port_is_no_finding():
    planted = Planted(careful)
    with serving(planted) as port:
        place = a_place(planted, port)
    (line,) = found(place, [CASES["H-07"]])
    assert line.problem.startswith("broke off: ConnectionRefusedError")


@pytest.mark.parametrize(("threads", "at_once"), [(0, 4), (16, 4), (4, 1), (1, 1)])
def test_forms_are_asked_together_only_where_none_waits_for_another(threads, at_once):
    assert a_place(Planted(careful), 1, threads=threads).at_once == at_once


FORM = Form("a", lambda draft: draft.request(), refused())
OTHER = Reply(200, {}, b'{"marker": "ab-other"}')
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{"marker": "ab-first"}'


def judged(data=OK, *, logged=("first", "other"), other=OTHER, passed=None):
    entries = [
        Logged(role=role, method="GET", path=f"/lab/echo?marker=ab-{role}", body_bytes=0) for role in logged
    ]
    asked = Asked(FORM, "ab", Received(data, closed=True, sent_bytes=1), other)
    return judge(asked, entries, behind_edge=passed is not None, passed=passed)


def test_what_is_accepted_that_should_not_is_said_with_what_the_app_got():
    answer = judged()
    assert (answer.kind, answer.statuses, answer.requests, answer.body_bytes) == (Kind.ACCEPT, (200,), 1, 0)
    assert (answer.verdict, answer.said) == (
        Verdict.FAIL,
        "200, the app got 1 request with a body of 0 bytes",
    )


def test_text_without_a_status_line_is_a_refusal_unless_the_app_got_something():
    assert judged(b"<html>", logged=()).kind is Kind.REJECT
    assert judged(b"<html>").kind is Kind.ACCEPT


def test_an_answer_meant_for_somebody_else_is_smuggling():
    foreign = judged(other=Reply(200, {}, b'{"marker": "ab-first"}'))
    assert foreign.smuggled == "a request on another connection got the answer to 'first'"
    earlier = judged(other=Reply(200, {}, b'{"marker": "cd-smug"}'))
    assert earlier.smuggled == "a request on another connection got the answer to 'cd-smug'"


def test_a_connection_that_is_left_without_an_answer_afterwards_is_told():
    answer = judged(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", logged=(), other=None)
    assert (answer.verdict, answer.said) == (Verdict.FAIL, "afterwards another connection got no answer")


def test_more_than_the_edge_handed_on_is_smuggling():
    assert judged(passed=["first", "other"]).smuggled == ""
    assert judged(passed=["first"]).smuggled == "the edge handed on 1, the app got 2"


def test_what_costs_much_is_measured():
    planted = Planted(careful)
    with serving(planted) as port:
        place = a_place(planted, port)
        (line,) = found(
            place,
            [
                Case(
                    "H-99",
                    "costs",
                    "400",
                    (Form("a", lambda draft: draft.request(), limits.no_error, alone=True),),
                )
            ],
        )
    (answer,) = line.answers
    assert (answer.measured["cpu_s"], answer.measured["memory_growth_mb"]) == (0.0, 0.0)


def look(memory_mb, cpu_s=0.0):
    return (
        Sample(
            t=0.0,
            role="app",
            container="app",
            cpu_s=cpu_s,
            memory_bytes=round(memory_mb * 1e6),
            throttled_s=0.0,
        ),
    )


@pytest.mark.parametrize(
    ("looks", "growth_mb"),
    [
        ([look(10), look(30), look(12, 0.5)], 20.0),
        ([look(10), (), look(12, 0.5)], 2.0),
        ([look(10), look(9), look(8, 0.5)], 0.0),
    ],
    ids=["given back afterwards", "a look that failed", "less"],
)
def test_memory_counts_at_its_most_from_the_first_look_on(looks, growth_mb):
    costs = _costs(looks, Received(data=b"", closed=True, sent_bytes=3_000_000))
    assert costs == {"cpu_s": 0.5, "memory_growth_mb": growth_mb, "sent_mb": 3.0}


@pytest.mark.parametrize("looks", [[(), look(10)], [look(10), look(11), ()]])
def test_a_container_that_does_not_say_what_it_used_costs_nothing_known(looks):
    assert _costs(looks, Received(data=b"", closed=True, sent_bytes=0)) == {}
