"""Ctrl-C, SIGTERM and a closed terminal at every phase: nothing is left, what was measured is kept, the code is 4."""

import signal

import pytest

from serverlab import store
from tests.checkout import write
from tests.fake_breaking import BREAKING
from tests.fake_capacity import EXPERIMENT
from tests.fakes import Answer
from tests.functional.conftest import SIGNALS

MOMENTS = {
    "up 1": 0,
    "load 1": 0,
    "window 1": 0,
    "measured 1": 0,
    "ceiling": 1,
    "up 2": 1,
    "window 3": 2,
    "measured 4": 3,
}
"""Phases of a run, and how many trials are saved by then."""


def runs(fake):
    return sorted((fake.root / "results/quick").iterdir())


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_told_to_end_leaves_nothing_and_can_be_gone_on_with(cli, fake, moment, number):
    fake.trouble[moment] = lambda: signal.raise_signal(number)
    stopped = cli("run", "quick")
    (path,) = runs(fake)
    assert (stopped.code, stopped.out) == (4, "")
    assert f"serverlab: stopped; {MOMENTS[moment]} trials of this run are saved in {path}\n" in stopped.err
    assert fake.client.is_empty
    kept = store.read_run(path)
    assert (len(kept.trials), kept.problems) == (MOMENTS[moment], ())
    fake.trouble.clear()
    assert cli("run", "--resume", f"quick/{path.name}").code == 0
    assert store.pending(store.read_run(path)) == ()
    assert [each.name for each in path.rglob(".*")] == []


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    "words", ["run quick", "capacity", "faults --experiment breaking --only F-01", "http gunicorn"]
)
def test_while_images_are_built_nothing_has_begun(cli, fake, words, number):
    write(fake.root, "experiments/capacity.toml", EXPERIMENT)
    write(fake.root, "experiments/breaking.toml", BREAKING.replace("F-00", "F-01"))
    fake.shell.script["docker buildx build"] = Answer(does=lambda _argv: signal.raise_signal(number))
    stopped = cli(*words.split())
    assert (stopped.code, stopped.out, fake.client.is_empty) == (4, "", True)
    assert stopped.err.endswith("serverlab: interrupted\nNothing of ours is left behind; run it again.\n")
    assert [path.name for path in (fake.root / "results").iterdir()] == ["logs"]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("words", ["up gunicorn", "locust gunicorn", "attack gunicorn --only A2-21"])
def test_whatever_starts_a_stack_takes_it_away(cli, fake, words, number):
    fake.trouble["up 1"] = lambda: signal.raise_signal(number)
    stopped = cli(*words.split())
    assert (stopped.code, stopped.out, fake.client.is_empty) == (4, "", True)


def test_a_run_under_nohup_outlives_its_terminal(cli, fake):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    fake.trouble["window 1"] = lambda: signal.raise_signal(signal.SIGHUP)
    assert cli("run", "quick").code == 0
