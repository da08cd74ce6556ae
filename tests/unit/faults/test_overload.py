"""A stack is asked for a multiple of what it answered; who could not send so much says nothing about it."""

from __future__ import annotations

import json

import pytest

from serverlab.errors import TrialFailed
from serverlab.faults import FAULTS
from serverlab.faults.fault import NotEffective, Scene
from serverlab.runner.breaking import NO_CORES
from serverlab.runner.cell import cell_settings
from serverlab.runner.trial import expectation
from tests.checkout import make_checkout
from tests.fake_app import FakeApp, serving
from tests.fake_lab import FakeLab, a_result

ARRIVALS = {"scheduled": 2000, "sent": 1500, "queued": 100, "unsent": 500, "lost": 0}


@pytest.fixture
def fake(tmp_path):
    app = FakeApp()
    with serving(app):
        fake = FakeLab(make_checkout(tmp_path), app)
        fake.asked, fake.measured_numbers = [], {}
        fake.result = lambda given, start, end: a_load(fake, given, ARRIVALS)
        yield fake


def a_load(fake, given, arrivals):
    """What a closed load of a second answers, or an open one of ten."""
    fake.asked.append((given["LAB_LOAD_ARRIVAL"], json.loads(given["LAB_LOAD_STEPS"])))
    if given["LAB_LOAD_ARRIVAL"] == "closed":
        return a_result(100.0, 101.0, ok=100)
    open_loop = a_result(100.0, 110.0, ok=900)
    steps = [{"level": 200.0, "ramp_to": 200.0, "duration_s": 10.0}]
    lag = open_loop["loop_lag"]
    return open_loop | {"arrival": "open", "arrivals": {**arrivals, "lag": lag}, "steps": steps}


def scene_of(fake, fault):
    catalog = fake.lab.catalog
    settings = cell_settings(catalog, catalog.target("gunicorn"), fault, cpus=1, split=NO_CORES, label="run")
    return Scene(
        engine=fake.lab.engine,
        shell=fake.shell,
        root=fake.root,
        expected=expectation(catalog, settings),
        hold_s=10.0,
        note=lambda _said: None,
        measure=fake.measured_numbers.update,
    )


def test_twice_as_many_are_due_as_were_answered(fake):
    scene = scene_of(fake, FAULTS["F-40"])
    with FAULTS["F-40"].inject(scene) as seen:
        assert seen == "200 requests/s are due, 2 times what was answered"
    assert fake.asked == [("closed", []), ("open", [[200.0, 200.0, 10.0]])]
    assert fake.measured_numbers == {
        "capacity_rps": 100.0,
        "due_rps": 200.0,
        "sent_rps": 150.0,
        "answered_rps": 90.0,
    }
    assert (fake.client.containers.things, FAULTS["F-40"].left_behind(scene)) == ([], None)


def test_a_generator_that_could_not_send_it_makes_it_void(fake):
    fake.result = lambda given, start, end: a_load(fake, given, ARRIVALS | {"lost": 300})
    with (
        pytest.raises(NotEffective, match="the generator itself could not send 300 of 2000 requests"),
        FAULTS["F-40"].inject(scene_of(fake, FAULTS["F-40"])),
    ):
        pass
    assert fake.client.containers.things == []


def test_a_generator_that_breaks_is_told_and_removed(fake):
    fake.result = lambda given, start, end: {"event": "result", "format": 99}
    with (
        pytest.raises(TrialFailed, match="the generator speaks format 99"),
        FAULTS["F-40"].inject(scene_of(fake, FAULTS["F-40"])),
    ):
        pass
    assert fake.client.containers.things == []


def test_whatever_ends_the_overload_the_generator_goes(fake):
    with pytest.raises(KeyboardInterrupt), FAULTS["F-40"].inject(scene_of(fake, FAULTS["F-40"])):
        raise KeyboardInterrupt
    assert fake.client.containers.things == []
