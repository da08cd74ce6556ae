"""A generator that is held goes on when it is told to, and one that ends instead is told with its last lines."""

import json
from dataclasses import dataclass

import docker.errors
import pytest

from serverlab import held
from serverlab.compose import Engine
from serverlab.errors import TrialFailed
from tests.fake_engine import FakeClient


def said(*events):
    return [json.dumps({"event": event}).encode() + b"\n" for event in events]


@pytest.fixture
def generator():
    """A generator's container; its output is set by the test."""
    return FakeClient().add("load", exit_code=1, logged=["ImportError: no locust"])


def test_it_is_woken_when_it_sleeps_and_let_go_when_it_is_told(generator):
    engine = Engine(generator.client)
    generator.output = lambda: [b"[2026] noise\n[1]\n", *said("asleep")]
    held.wake(engine)
    assert generator.signals == [held.WAKE]
    generator.output = lambda: said("asleep", "loaded")
    held.await_loaded(engine)
    assert generator.signals == [held.WAKE]
    held.let_go(engine)
    assert generator.signals == [held.WAKE, held.GO]
    assert not generator.killed


@dataclass
class Response:
    status_code: int


def refusing(status):
    def refuse(_signal):
        raise docker.errors.APIError("no", response=Response(status))

    return refuse


def test_one_that_has_ended_since_then_is_no_trouble_of_the_engine(generator):
    generator.on_signal = refusing(409)
    held.let_go(Engine(generator.client))
    generator.on_signal = refusing(500)
    with pytest.raises(docker.errors.APIError):
        held.let_go(Engine(generator.client))


@pytest.mark.parametrize(
    ("step", "events", "missing"),
    [(held.wake, [], "asleep"), (held.await_loaded, ["asleep"], "loaded")],
)
def test_one_that_ends_before_its_step_is_told_with_its_last_lines(generator, step, events, missing):
    generator.status = "exited"
    generator.output = lambda: said(*events)
    with pytest.raises(TrialFailed) as failed:
        step(Engine(generator.client))
    assert failed.value.what == (
        f"the generator ended before it was {missing}\nserverlab-load-1 ended with 1:\n  | ImportError: no locust"
    )
    assert generator.signals == []


def test_one_that_takes_too_long_is_stopped(generator):
    def output():
        yield from said("asleep")
        while not generator.killed:
            yield b"\n"

    generator.output = output
    with pytest.raises(TrialFailed, match="generator took too long and was stopped before it was loaded"):
        held.await_loaded(Engine(generator.client), deadline_s=0.01)
