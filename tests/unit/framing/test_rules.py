"""What is right, on synthetic answers."""

from __future__ import annotations

import json

import pytest

from serverlab.framing import rules
from serverlab.framing.case import Seen, digest
from serverlab.framing.replies import Reply
from serverlab.model.framing import Kind, Logged


def logged(role="first", body=b"", **changes):
    plain = {"role": role, "method": "GET", "path": "/", "body_bytes": len(body), "body_sha256": digest(body)}
    return Logged(**plain | changes)


def seen(status=200, *, kind=None, document=None, headers=None, entries=(), **changes):
    body = json.dumps(document or {}).encode()
    replies = (Reply(status, headers or {}, body),) if status is not None else ()
    guessed = Kind.SILENT if status is None else Kind.ACCEPT if status < 400 else Kind.REJECT
    plain = {"kind": kind or guessed, "replies": replies, "closed": True, "logged": tuple(entries)}
    return Seen(**plain | changes)


NOBODY = seen(None)
HELLO = seen(entries=[logged(body=b"hello")])


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (seen(400), ""),
        (seen(411), "411"),
        (seen(500, entries=[logged(body_bytes=None)]), "500, the app got 1 request with its body unread"),
        (HELLO, "200, the app got 1 request with a body of 5 bytes"),
        (NOBODY, "no answer"),
        (seen(None, kind=Kind.CLOSED), "closed without an answer"),
        (seen(200, kind=Kind.REJECT, document={"body_broke": "OSError"}), ""),
        (seen(0, kind=Kind.REJECT), "an answer without a status line"),
    ],
)
def test_a_refusal_is_400_or_an_error_for_the_app(what, said):
    assert rules.refused()(what) == said


def test_other_refusals_are_right_where_they_are_named():
    assert rules.refused(400, 501)(seen(501)) == ""


def test_a_body_is_delivered_as_it_was_or_not_at_all():
    rule = rules.delivered(b"hello")
    assert rule(HELLO) == ""
    assert (
        rule(seen(entries=[logged(body=b"hell")]))
        == "200, the app got 1 request with a body of 4 bytes and not 5"
    )
    assert rule(seen(entries=[logged(body=b"jello")])).endswith("of 5 bytes and not 5")
    assert rule(seen(entries=[logged(role="tail")])) == "200"
    assert rule(seen(411)) == "411"


def test_either_rule_is_enough_and_both_are_needed():
    assert rules.either(rules.refused(), rules.delivered(b"hello"))(HELLO) == ""
    assert rules.both(rules.refused(), rules.no_error)(seen(400)) == ""
    assert rules.both(rules.no_error, rules.refused())(HELLO) != ""


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (NOBODY, ""),
        (seen(408), ""),
        (seen(None, kind=Kind.CLOSED), ""),
        (seen(kind=Kind.REJECT, document={"body_broke": "OSError"}), ""),
        (seen(500), "500"),
        (seen(document={"body_bytes": 3}), "200, the app got 3 of 5 bytes as if they were all"),
    ],
)
def test_a_body_that_breaks_off_may_be_anything_but_whole(what, said):
    assert rules.never_short(5)(what) == said


def test_headers_of_the_app_are_looked_at_whatever_their_case():
    what = seen(document={"headers": {"X-Admin": "1", "Host": "other.example"}})
    assert rules.without_header("x-admin")(what) == "200, the app got x-admin: 1"
    assert rules.without_header("X-Admin", "2")(what) == ""
    assert rules.without_header("X-Admin")(seen(400)) == ""
    assert rules.with_header("Host", "other.example")(what) == ""
    assert rules.with_header("Host", "own")(what) == "200, Host was another"
    assert rules.with_header("Authorization")(what) == "200, Authorization was absent"
    assert rules.with_header("Host")(seen(400)) == "400"


def test_what_holds_behind_an_edge_is_not_asked_elsewhere():
    rule = rules.behind_edge(rules.refused())
    assert (rule(HELLO), rule(seen(behind_edge=True))) == ("", "200")


@pytest.mark.parametrize(("status", "said"), [(200, ""), (404, ""), (502, "502"), (None, "no answer")])
def test_an_error_of_the_server_and_silence_are_errors(status, said):
    assert rules.no_error(seen(status)) == said


def test_a_switch_of_protocols_is_told():
    assert rules.not_switched(seen(101)) == "101, the protocol was switched"
    assert rules.not_switched(seen(200)) == ""


def pair(*roles, closed=True):
    replies = tuple(Reply(200, {}, json.dumps({"marker": f"token-{role}"}).encode()) for role in roles)
    return Seen(kind=Kind.ACCEPT, replies=replies, closed=closed, logged=())


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (pair("first", "second", "tail"), ""),
        (pair("first"), ""),
        (pair("first", closed=False), "answers to first"),
        (pair("second", "first"), "answers to second, first"),
        (pair(closed=False), "answers to none"),
    ],
)
def test_answers_come_in_order(what, said):
    assert rules.in_order(what) == said


def test_no_answer_shows_the_inside():
    rule = rules.nothing_of("root:x:")
    assert rule(seen(404)) == ""
    assert rule(seen(document={"a": "root:x:0:0"})) == "200, the answer holds 'root:x:'"
    assert rule(seen(500)) == "500"


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("/lab/echo", ""),
        ("//evil.example/", "301 to //evil.example/"),
        ("http://evil.example/", "301 to http://evil.example/"),
    ],
)
def test_a_redirect_stays_here(location, said):
    assert rules.stays_here(seen(301, headers={"location": location})) == said


def test_a_measurement_has_its_bound_and_has_to_be_there():
    rule = rules.measured_at_most("cpu_s", 1.0, "s of CPU")
    assert rule(seen(measured={"cpu_s": 1.0})) == ""
    assert rule(seen()) == "200: cpu_s was not measured"
    assert rule(seen(400, measured={"cpu_s": 1.25})) == "400: 1.2 s of CPU"


def test_a_function_judges_with_words_of_its_own():
    assert rules.judged_by("too many", lambda what: what.first.status == 400)(HELLO).endswith(": too many")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/lab/echo?marker=..", ""),
        ("/static/../etc/passwd?a", "200, the app got the path /static/../etc/passwd"),
        ("//evil.example/", "200, the app got the path //evil.example/"),
        ("/lab/echo\\u0000.txt", "200, the app got the path /lab/echo\\u0000.txt"),
    ],
)
def test_a_path_that_can_be_read_in_two_ways_is_told(path, said):
    assert rules.normal_path(seen(entries=[logged(path=path)])) == said
    assert rules.normal_path(seen(400)) == ""


def test_a_fragment_is_seen_wherever_it_stands():
    got = logged(role="first#/../x", path="/lab/echo?marker=1-first#/../x")
    assert rules.without_fragment(seen(entries=[got])) == f"200, the app got {got.path}"
    assert rules.without_fragment(seen(entries=[logged(path="/lab/echo?marker=1-first")])) == ""
