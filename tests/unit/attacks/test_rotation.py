"""Chains that come to their end, on sites that end them then, a little later, or not at all."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace

import httpx2
import pytest

from serverlab.attacks.forge import hmac_signed
from serverlab.attacks.rotation import _absolute_end
from serverlab.attacks.stage import Outcome, failed, passed
from serverlab.model.security import Verdict
from serverlab.probe import claims_of
from tests.unit.attacks.sites import a_stage

KEY = "a key of the stack that is long enough"
BEGAN = 1000
END = BEGAN + 2
FOR_EVER = 1 << 40


class Chains:
    """Ends its chains at their end, or ``grace_s`` later, or never; a refusal takes a while. It has its own clock."""

    def __init__(self, *, grace_s=0.0, takes_s=0.0, slides=False):
        self.now, self.grace_s, self.takes_s, self.slides = float(BEGAN), grace_s, takes_s, slides
        self.numbers = itertools.count()

    def __call__(self, request):
        if request.url.path.endswith("/signup/"):
            return httpx2.Response(201, json={})
        fields = json.loads(request.content)
        end = claims_of(fields["refresh"])["end"] if "refresh" in fields else FOR_EVER
        if self.now >= end + self.grace_s:
            self.now += self.takes_s
            return httpx2.Response(401, json={})
        return httpx2.Response(200, json={"access": self.token(FOR_EVER), "refresh": self.token(end)})

    def token(self, end):
        claims = {"exp": end + 600 if self.slides else end, "end": end, "jti": next(self.numbers)}
        return hmac_signed(claims, KEY.encode())

    def sleep(self, seconds):
        self.now += seconds


def outcome_on(site, *, kept_s=0.0, sleep=None):
    """What is found where others keep the stack for a while when the chains end."""
    stage = a_stage(site, container=SimpleNamespace(do=lambda _statement, _values: []))
    stage.settings.jwt_key = KEY
    steps = _absolute_end(stage, now=lambda: site.now, sleep=sleep or site.sleep)
    try:
        site.now = next(steps) + kept_s
        next(steps)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it pauses once only")


def test_chains_that_end_are_asked_at_once_and_pass():
    found = outcome_on(Chains())
    assert found == passed(
        "the successor ends with it; 401 after the end", jwt_asked_after_s=0.02, plain_asked_after_s=0.02
    )


@pytest.mark.parametrize("kept_s", [0.0, 0.3], ids=["asked at once", "asked late, then anew"])
def test_a_grace_shorter_than_what_others_keep_the_stack_for_is_found(kept_s):
    found = outcome_on(Chains(grace_s=0.2), kept_s=kept_s)
    assert found == failed("jwt: refresh after the end 200", "expected 401", jwt_asked_after_s=0.02)


def test_a_way_that_was_asked_late_because_of_the_other_one_is_asked_anew():
    found = outcome_on(Chains(takes_s=0.2))
    assert found.verdict is Verdict.PASS
    assert found.measured == {"jwt_asked_after_s": 0.02, "plain_asked_after_s": 0.02}


def test_what_is_accepted_after_the_end_fails_however_late_it_was_asked():
    found = outcome_on(Chains(grace_s=10.0), kept_s=5.0)
    assert found == failed("jwt: refresh after the end 200", "expected 401", jwt_asked_after_s=5.02)


def test_a_refusal_that_is_late_twice_shows_nothing():
    site = Chains()
    found = outcome_on(site, kept_s=0.3, sleep=lambda seconds: site.sleep(seconds + 0.25))
    assert found == Outcome(
        Verdict.UNKNOWN,
        "jwt: 401, asked 0.27 s after the end",
        "a grace shows within 0.1 s",
        {"jwt_asked_after_s": 0.27},
    )


def test_a_successor_that_outlives_its_chain_is_found_without_waiting():
    site = Chains(slides=True)
    found = outcome_on(site)
    assert found == failed(f"jwt: successor ends {(END + 600, END)}", f"expected {(END, END)}")
    assert site.now == BEGAN
