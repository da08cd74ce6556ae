"""Who wins a race; and who counts as a worker that may be killed, tried on processes of this machine."""

from __future__ import annotations

import itertools
import json
import secrets
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import httpx2
import pytest

from serverlab.attacks import race
from serverlab.attacks.account import Account
from serverlab.attacks.contention import (
    REPLACED_S,
    _comes_back,
    _killed_worker,
    _workers,
    _wrong_race,
    _wrong_retry,
    one_winner,
    refreshed_until,
)
from serverlab.attacks.race import Reply
from serverlab.attacks.stage import Tokens, failed
from serverlab.model.definitions import Target
from serverlab.model.security import Verdict
from tests.unit.attacks.sites import a_stage

CHILD = "import sys; sys.stdin.read()"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}, sys.argv[1]], stdin=subprocess.PIPE)
print("started", flush=True)
print(child.wait(), flush=True)
"""


class Here:
    """A container that is this machine."""

    def exec_run(self, argv, **_options):
        done = subprocess.run([sys.executable, *argv[1:]], capture_output=True, check=False)
        return SimpleNamespace(exit_code=done.returncode, output=done.stdout + done.stderr)


@pytest.fixture
def name():
    """A word that only the processes of one test have on their command line."""
    return f"worker-{secrets.token_hex(8)}"


@pytest.fixture
def parent(name):
    """A process that has started another one and waits for it."""
    with subprocess.Popen([sys.executable, "-c", PARENT, name], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        yield process
        process.kill()


def stage_of(name):
    stage = a_stage(lambda _: None, container=Here())
    stage.expected.identity = SimpleNamespace(process=name)
    return stage


def test_a_worker_is_killed_and_its_supervisor_is_not(parent, name):
    assert _workers(stage_of(name)) == 1
    assert _workers(stage_of(name), then="kill") == 1
    assert parent.stdout.readline() == "-9\n"
    assert parent.wait(10) == 0


def test_nobody_is_a_worker_of_a_server_that_is_not_there(name):
    assert _workers(stage_of(name)) == 0


EDGED = Target(server="gunicorn", variant="gthread", edge="nginx")
WON = Reply(200, {"refresh": "successor"})
LOST, REFUSED, BROKEN = Reply(502, {}), Reply(401, {}), Reply(500, {})


def an_account(*, alive=(), target=EDGED):
    """An account whose site still takes the refresh tokens that are named."""

    def answer(request):
        return httpx2.Response(200 if json.loads(request.content).get("refresh") in alive else 401, json={})

    stage = a_stage(answer)
    stage.settings.target = target
    return Account(stage, "jwt", "somebody")


@pytest.mark.parametrize(
    ("replies", "wrong"),
    [
        ([WON, REFUSED, REFUSED], None),
        ([WON, REFUSED, LOST], None),
        ([REFUSED, REFUSED, LOST], None),
        ([WON, WON, REFUSED], "2 x 200, 1 x 401"),
        ([REFUSED, REFUSED, REFUSED], "3 x 401"),
        ([WON, REFUSED, BROKEN], "1 x 200, 1 x 401, 1 x 500"),
        ([WON, REFUSED, Reply(0, {})], "1 x closed, 1 x 200, 1 x 401"),
    ],
)
def test_exactly_one_wins_a_race(replies, wrong):
    assert _wrong_race(an_account(), Tokens("", "spent"), replies) == wrong


def test_only_an_edge_loses_answers():
    direct = an_account(target=Target(server="gunicorn", variant="gthread"))
    assert _wrong_race(direct, Tokens("", "spent"), [WON, LOST]) == "1 x 200, 1 x 502"


@pytest.mark.parametrize("alive", ["successor", "spent"])
def test_nothing_lives_after_a_race(alive):
    account = an_account(alive=(alive,))
    assert _wrong_race(account, Tokens("", "spent"), [WON, REFUSED]) == "1 alive afterwards"


def test_a_chain_is_refreshed_until_an_answer_is_lost_and_its_last_token_is_kept():
    answers = iter([{"access": "a", "refresh": "second"}, {"access": "a", "refresh": "third"}, None])
    spent = []

    def answer(request):
        spent.append(json.loads(request.content)["refresh"])
        document = next(answers)
        return httpx2.Response(200, json=document) if document else httpx2.Response(502)

    account = Account(a_stage(answer), "jwt", "somebody")
    assert refreshed_until(Future(), account, Tokens("", "first")) == (Tokens("a", "third"), 502)
    assert spent == ["first", "second", "third"]


def test_an_answer_is_waited_for_as_long_as_a_new_worker_is():
    patience = []

    def answer(request):
        patience.append(request.extensions["timeout"]["read"])
        raise httpx2.ReadTimeout("late", request=request)

    account = Account(a_stage(answer), "jwt", "somebody")
    assert refreshed_until(Future(), account, Tokens("", "first")) == (Tokens("", "first"), 0)
    assert patience == [REPLACED_S]


def test_a_new_worker_is_looked_for_when_the_old_one_is_dead():
    asked, killed = [], Future()

    def answer(request):
        asked.append((request.url.path, killed.done()))
        return httpx2.Response(200 if len(asked) > 1 else 502)

    with ThreadPoolExecutor(1) as aside:
        back = aside.submit(_comes_back, a_stage(answer), killed)
        killed.set_result(1)
        assert back.result() is True
    assert asked == [("/readyz", True), ("/readyz", True)]


def test_a_chain_is_refreshed_no_more_when_the_workers_are_dead():
    done = Future()
    done.set_result(1)
    assert refreshed_until(done, an_account(), Tokens("", "first")) == (Tokens("", "first"), 200)


@pytest.mark.parametrize(
    ("statuses", "wrong"),
    [
        ((0, 200, 401), None),
        ((502, 401, 401), None),
        ((0, 200, 200), "closed, 200, 200"),
        ((0, 500, 401), "closed, 500, 401"),
        ((401, 401, 401), "401, 401, 401"),
    ],
)
def test_a_token_whose_answer_is_lost_works_once_or_not_at_all(statuses, wrong):
    assert _wrong_retry(*statuses) == wrong


@pytest.mark.parametrize(
    ("winners", "seen"),
    [(1, "one winner of 2, 3"), (2, "jwt: 3 at once: 2 x 200, 1 x 401")],
    ids=["one", "a second one, now and then"],
)
def test_each_race_is_run_as_often_as_it_is_said(monkeypatch, winners, seen):
    raced = []

    def together(_url, requests):
        raced.append(len(requests))
        won = winners if len(raced) == 7 else 1
        return [WON] * won + [REFUSED] * (len(requests) - won)

    monkeypatch.setattr(race, "together", together)
    account = an_account(target=Target(server="gunicorn", variant="gthread"))
    found = one_winner(account, {2: 4, 3: 3})
    assert (raced, found.seen) == ([2] * 4 + [3] * 3, seen)
    assert found.verdict is (Verdict.PASS if winners == 1 else Verdict.FAIL)


class Spending:
    """Takes each refresh token once, and answers /readyz by one status after the other."""

    def __init__(self, *ready):
        self.ready, self.spent, self.numbers = iter(ready), set(), itertools.count()

    def __call__(self, request):
        if request.url.path == "/readyz":
            return httpx2.Response(next(self.ready))
        fields = json.loads(request.content)
        if request.url.path.endswith("/signup/"):
            return httpx2.Response(201, json={})
        if (token := fields.get("refresh")) in self.spent:
            return httpx2.Response(401, json={})
        self.spent |= {token} - {None}
        return httpx2.Response(200, json={"access": "a", "refresh": f"r{next(self.numbers)}"})


def killed_on(site):
    workers = SimpleNamespace(exec_run=lambda *_, **__: SimpleNamespace(exit_code=0, output=b"1"))
    stage = a_stage(site, container=workers, rounds=1)
    stage.expected.identity = SimpleNamespace(process="worker")
    return _killed_worker(stage)


def test_a_worker_that_came_back_and_went_again_is_found():
    found = killed_on(Spending(200, 502))
    assert found == failed("/readyz 502 in the end", "a worker that died is replaced for good")


def test_a_server_that_is_still_ready_in_the_end_passes():
    found = killed_on(Spending(200, 200))
    assert (found.verdict, found.seen) == (Verdict.PASS, "200, then 200")
