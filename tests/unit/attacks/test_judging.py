"""From findings to verdicts."""

from __future__ import annotations

import pytest

from serverlab.analysis.security import judged
from serverlab.attacks import ATTACKS
from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.model.definitions import Difference
from serverlab.model.security import Verdict
from tests.unit.attacks.records import a_finding, a_server

DIFFERENCE = Difference(attack="A1-24", seen=r"\b414\b", why="its lines are short")
TELLS = {"gunicorn": a_server(DIFFERENCE)}


def test_a_failure_that_the_definition_expects_is_a_difference_with_its_reason():
    found = judged(a_finding("A1-24", verdict=Verdict.FAIL, seen="414 at 4 KiB"), TELLS)
    assert (found.verdict, found.reason) == (Verdict.DIFFERENCE, "its lines are short")


def test_a_failure_of_another_kind_than_expected_stays_one():
    found = judged(a_finding("A1-24", verdict=Verdict.FAIL, seen="502", reason="no 5xx"), TELLS)
    assert (found.verdict, found.reason) == (Verdict.FAIL, r"no 5xx (server.toml expects '\\b414\\b')")


def test_nothing_hides_behind_a_difference_that_is_expected():
    both = judged(a_finding("A1-24", verdict=Verdict.FAIL, seen="4 KiB: 414; cookie: lacks Secure"), TELLS)
    assert both.verdict is Verdict.FAIL
    twice = judged(a_finding("A1-24", verdict=Verdict.FAIL, seen="4 KiB: 414; 8 KiB: 414"), TELLS)
    assert twice.verdict is Verdict.DIFFERENCE


def test_an_expected_difference_that_no_longer_occurs_fails():
    found = judged(a_finding("A1-24"), TELLS)
    assert (found.verdict, found.reason) == (
        Verdict.FAIL,
        "passed, but server.toml expects a difference: take it out",
    )


@pytest.mark.parametrize(
    ("changes", "target", "applies"),
    [
        ({}, "gunicorn:gthread", True),
        ({}, "gunicorn:gthread+nginx", True),
        ({"behind_edge": False}, "gunicorn:gthread+nginx", False),
        ({"direct": False}, "gunicorn:gthread", False),
        ({"variants": ("sync",)}, "gunicorn:gthread", False),
        ({"variants": ("sync",)}, "gunicorn:sync+nginx", True),
    ],
)
def test_a_difference_applies_where_it_says(changes, target, applies):
    servers = {"gunicorn": a_server(Difference(attack="A1-24", seen="", why="so", **changes))}
    found = judged(a_finding("A1-24", target=target, verdict=Verdict.FAIL), servers)
    assert (found.verdict is Verdict.DIFFERENCE) == applies


def test_what_is_not_applicable_has_to_say_why():
    silent = judged(a_finding(verdict=Verdict.NA, reason=""), {})
    assert (silent.verdict, silent.reason) == (Verdict.UNKNOWN, "not asked, and it does not say why")
    assert judged(a_finding(verdict=Verdict.NA, reason="no clock"), {}).verdict is Verdict.NA


def test_every_difference_of_a_shipped_server_is_about_an_attack_that_there_is():
    servers = load_catalog(CHECKOUT).servers.values()
    named = {difference.attack for server in servers for difference in server.differences}
    assert named <= set(ATTACKS)
