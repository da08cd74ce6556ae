"""One attack after the other, and what becomes of one that breaks off."""

from __future__ import annotations

import httpx2
import pytest

from serverlab.attacks import _by_id
from serverlab.attacks.running import findings
from serverlab.attacks.stage import Attack, passed
from serverlab.model.security import Verdict
from tests.unit.attacks.sites import a_stage


def breaking(error):
    def run(_stage):
        raise error

    return run


@pytest.mark.parametrize(
    "error", [httpx2.ReadTimeout("late"), OSError("gone"), KeyError("access"), ValueError("odd")]
)
def test_an_attack_that_breaks_off_is_unknown_and_the_next_one_is_run(error):
    attacks = [
        Attack("A1", "one", "401", breaking(error)),
        Attack("A2", "two", "401", lambda _: passed("401")),
    ]
    first, second = findings(a_stage(lambda _: httpx2.Response(200)), attacks)
    assert (first.verdict, first.seen) == (Verdict.UNKNOWN, "broke off")
    assert first.reason.startswith(type(error).__name__)
    assert (second.attack, second.verdict, second.target) == ("A2", Verdict.PASS, "gunicorn:gthread")


def test_a_mistake_of_the_lab_is_no_finding():
    attack = Attack("A1", "one", "401", breaking(TypeError("a bug")))
    with pytest.raises(TypeError):
        list(findings(a_stage(lambda _: httpx2.Response(200)), [attack]))


def test_two_attacks_with_one_id_are_refused():
    attack = Attack("A1", "one", "401", breaking(OSError()))
    with pytest.raises(ValueError, match="A1"):
        _by_id(((attack,), (attack,)))
