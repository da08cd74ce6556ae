"""Forged credentials at a site that refuses them as it should, or too late: once, or each time."""

import json
import time

import httpx2
import pytest

from serverlab.attacks import login
from serverlab.attacks.forge import hmac_signed
from serverlab.attacks.refusals import AGAIN, all_refused
from serverlab.model.security import Verdict
from tests.unit.attacks.sites import a_stage

TRUE = hmac_signed({"exp": 1 << 40}, b"any key")
REFUSAL = httpx2.Response(401, headers={"WWW-Authenticate": "Bearer"})


class Guard:
    """Lets the true token in; a forged one gets the refusal, late where its number among the forged is one of these."""

    def __init__(self, *late, refusal=REFUSAL, true=200):
        self.late, self.refusal, self.true = late, refusal, true
        self.forged = 0

    def __call__(self, request):
        if request.url.path.endswith("/login/"):
            return httpx2.Response(200, json={"access": TRUE, "refresh": "any"})
        if request.headers["Authorization"] == f"Bearer {TRUE}":
            return httpx2.Response(self.true, json={})
        self.forged += 1
        time.sleep(0.25 if self.forged in self.late else 0)
        return self.refusal


def said_of(guard):
    stage = a_stage(guard)
    return all_refused(stage, [(name, lambda: stage.me("forged")) for name in ("first", "second")])


def test_a_refusal_that_was_late_once_is_timed_again_and_passes():
    guard = Guard(2)
    assert said_of(guard).verdict is Verdict.PASS
    assert guard.forged == 2 + AGAIN


def test_a_refusal_that_is_late_each_time_fails_by_its_name():
    found = said_of(Guard(*range(2, 99)))
    assert found.verdict is Verdict.FAIL
    assert found.seen.endswith("s for second")


@pytest.mark.parametrize(
    ("guard", "reason"),
    [
        (Guard(refusal=httpx2.Response(500)), "expected 401"),
        (Guard(refusal=httpx2.Response(401)), "401 without WWW-Authenticate"),
        (
            Guard(refusal=httpx2.Response(401, headers=REFUSAL.headers, text="in /app/")),
            "the answer shows '/app/'",
        ),
        (Guard(true=401), "the true credential gets 401 afterwards"),
    ],
)
def test_a_refusal_that_is_wrong_fails(guard, reason):
    found = said_of(guard)
    assert (found.verdict, found.reason) == (Verdict.FAIL, reason)


def test_nothing_sent_is_no_pass():
    assert all_refused(a_stage(Guard()), []).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(("always", "verdict"), [(False, Verdict.PASS), (True, Verdict.FAIL)])
def test_a_password_that_takes_long_must_do_so_each_time_to_fail(monkeypatch, always, verdict):
    monkeypatch.setattr(login, "LONG_S", 0.2)
    long = []

    def answer(request):
        if len(str(json.loads(request.content)["password"])) == 4096 and (always or not long):
            long.append(request)
            time.sleep(0.25)
        return REFUSAL

    assert login.odd_passwords(a_stage(answer)).verdict is verdict
