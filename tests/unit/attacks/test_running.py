"""One attack after the other, and what becomes of one that breaks off."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import docker.errors
import httpx2
import pytest

from serverlab.attacks import ATTACKS, _by_id
from serverlab.attacks.running import LANES, batches, findings
from serverlab.attacks.stage import Attack, passed
from serverlab.model.security import Verdict
from tests.unit.attacks.sites import a_stage


def breaking(error):
    def run(_stage):
        raise error

    return run


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ReadTimeout("late"),
        OSError("gone"),
        KeyError("access"),
        ValueError("odd"),
        StopIteration(),
        RuntimeError("odd"),
    ],
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


def test_a_failing_engine_is_no_finding_and_ends_the_attacks():
    refused = docker.errors.APIError("no", response=SimpleNamespace(status_code=500))
    attack = Attack("A1", "one", "401", breaking(refused))
    with pytest.raises(docker.errors.APIError):
        list(findings(a_stage(lambda _: httpx2.Response(200)), [attack]))


def test_a_container_that_has_ended_makes_the_attack_unknown():
    ended = docker.errors.APIError("no", response=SimpleNamespace(status_code=409, url="", reason=""))
    attack = Attack("A1", "one", "401", breaking(ended))
    (found,) = findings(a_stage(lambda _: httpx2.Response(200)), [attack])
    assert (found.verdict, found.seen) == (Verdict.UNKNOWN, "broke off")


def test_a_mistake_of_the_lab_is_no_finding():
    attack = Attack("A1", "one", "401", breaking(TypeError("a bug")))
    with pytest.raises(TypeError):
        list(findings(a_stage(lambda _: httpx2.Response(200)), [attack]))


def test_two_attacks_with_one_id_are_refused():
    attack = Attack("A1", "one", "401", breaking(OSError()))
    with pytest.raises(ValueError, match="A1"):
        _by_id(((attack,), (attack,)))


def beside(name, group, *, waits_s=0.0, run=lambda _: passed("401")):
    return Attack(name, "title", "401", run, beside=group, waits_s=waits_s)


def test_those_beside_each_other_stand_where_the_first_of_them_does_and_who_waits_comes_first():
    attacks = [
        beside("1", None),
        beside("2", "some"),
        beside("3", None),
        beside("4", "others"),
        beside("5", "some"),
        beside("6", "some", waits_s=2.0),
    ]
    found = [[attack.id for attack in together] for together in batches(attacks)]
    assert found == [["1"], ["6", "2", "5"], ["3"], ["4"]]


def test_attacks_beside_each_other_run_at_the_same_time():
    met = threading.Barrier(LANES, timeout=10.0)

    def meet(_stage):
        met.wait()
        return passed("met")

    attacks = [beside(str(number), "some", run=meet) for number in range(LANES)]
    found = list(findings(a_stage(lambda _: httpx2.Response(200)), attacks))
    assert [(each.attack, each.seen) for each in found] == [(str(number), "met") for number in range(LANES)]


def test_an_attack_that_is_beside_no_other_has_the_stack_to_itself():
    running, most = set(), []

    def alone(name):
        def run(_stage):
            running.add(name)
            most.append(len(running))
            running.discard(name)
            return passed("401")

        return run

    attacks = [beside(str(number), None, run=alone(number)) for number in range(LANES)]
    assert len(list(findings(a_stage(lambda _: httpx2.Response(200)), attacks))) == LANES
    assert most == [1] * LANES


def test_one_that_breaks_off_beside_others_is_unknown_and_the_others_are_not():
    attacks = [beside("1", "some", run=breaking(OSError("gone"))), beside("2", "some")]
    found = findings(a_stage(lambda _: httpx2.Response(200)), attacks)
    assert [each.verdict for each in found] == [Verdict.UNKNOWN, Verdict.PASS]


def test_one_that_pauses_leaves_the_stack_to_those_that_are_quick_and_to_no_others():
    said, slept = [], []

    def pausing(_stage):
        said.append("begins")
        yield time.time() + 1000.0
        said.append("goes on")
        return passed("late")

    def saying(word):
        return lambda _stage: said.append(word) or passed(word)

    attacks = [
        Attack("1", "title", "401", pausing),
        Attack("2", "title", "401", saying("quick"), quick=True),
        Attack("3", "title", "401", saying("slow")),
    ]
    found = list(findings(a_stage(lambda _: httpx2.Response(200)), attacks, sleep=slept.append))
    assert said == ["begins", "quick", "goes on", "slow"]
    assert [(each.attack, each.seen) for each in found] == [("2", "quick"), ("1", "late"), ("3", "slow")]
    assert slept == [pytest.approx(1000.0, abs=60.0)]


def test_one_that_pauses_goes_on_before_the_next_one_as_soon_as_it_is_due():
    def pausing(_stage):
        yield 0.0
        return passed("late")

    attacks = [
        Attack("1", "title", "401", pausing),
        Attack("2", "title", "401", lambda _: passed("quick"), quick=True),
        beside("3", "some"),
        beside("4", "some", run=pausing),
    ]
    found = list(findings(a_stage(lambda _: httpx2.Response(200)), attacks))
    assert [(each.attack, each.seen) for each in found] == [
        ("1", "late"),
        ("2", "quick"),
        ("3", "401"),
        ("4", "late"),
    ]


def test_one_that_breaks_off_after_its_pause_is_unknown():
    def pausing(_stage):
        yield 0.0
        raise OSError("gone")

    (found,) = findings(a_stage(lambda _: httpx2.Response(200)), [Attack("1", "title", "401", pausing)])
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, "OSError: gone")


def test_one_that_misses_the_next_one_after_its_pause_is_unknown():
    def pausing(_stage):
        yield 0.0
        return passed(next(iter(())))

    (found,) = findings(a_stage(lambda _: httpx2.Response(200)), [Attack("1", "title", "401", pausing)])
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, "RuntimeError: generator raised StopIteration")


def test_the_time_of_one_that_pauses_is_without_its_pauses():
    def pausing(_stage):
        yield time.time() + 1000.0
        return passed("late")

    def busy(_seconds):
        until = time.monotonic() + 0.02
        while time.monotonic() < until:
            pass

    attack, before = Attack("1", "title", "401", pausing), time.monotonic()
    (found,) = findings(a_stage(lambda _: httpx2.Response(200)), [attack], sleep=busy)
    took_s = time.monotonic() - before
    assert found.wall_s <= took_s - 0.02 + 0.001  # it is rounded


def test_the_server_is_stopped_beside_those_only_that_ask_it_nothing():
    """Each of them runs a program beside the server, in its container: see containers, keys and outside."""
    beside_it = {name for name, attack in ATTACKS.items() if attack.beside == ATTACKS["K-06"].beside}
    assert beside_it == {"K-06", "K-02", "K-09", "W-11", "W-10d", "A1-15"}


def test_what_times_anything_or_counts_processes_is_beside_nothing():
    alone = {"K-01", "K-03", "K-05", "K-10"}
    alone |= {"A3-03", "A3-05", "A3-06", "A3-11", "A4-22", "A4-23", "A4-25"}
    alone |= {name for name in ATTACKS if name.startswith(("A1-0", "A2-", "A5-", "T-"))} - {"A5-01"}
    assert {name for name in alone if ATTACKS[name].beside} == set()
