"""What the benchmarks make of what they have measured."""

import pytest

from benchmarks.generator import OURS, PLAIN, UNRECORDED, WRK, Rate, alone, bounds_of
from benchmarks.keeping import keep
from benchmarks.trials import Clock, bound_of, not_measured
from serverlab.errors import EnvironmentLacks
from serverlab.model.benchmarks import Bound
from tests.checkout import make_checkout
from tests.fake_app import FakeApp
from tests.fake_lab import FakeLab
from tests.unit.builders import RUNSERVER, a_plan, a_run, a_trial, a_void_trial


def a_repeat(*, ours=4000.0, unrecorded=4100.0, plain=2000.0, wrk=40_000.0):
    rates = {OURS: ours, UNRECORDED: unrecorded, PLAIN: plain, WRK: wrk}
    return {name: [Rate(per_s=1.0, per_cpu_s=value)] for name, value in rates.items()}


def shown(bounds):
    return [(bound.measured, bound.kept) for bound in bounds]


def test_ours_is_held_against_the_others_by_cpu_time():
    """4000 / 2000, 4000 / 40000, and 1 / 4000 s of which 1 / 4100 s are left without recording: 2.4 %."""
    assert shown(bounds_of([a_repeat()])) == [("2.00", True), ("0.100", None), ("2.4%", True)]


def test_the_worst_repeat_has_to_keep_each_limit():
    slow, greedy = a_repeat(plain=2700.0), a_repeat(unrecorded=4300.0)
    assert shown(bounds_of([a_repeat(), slow, greedy])) == [("1.48", False), ("0.100", None), ("7.0%", False)]


def test_turns_of_one_repeat_count_by_what_a_request_cost():
    """1 / 2000 and 1 / 4000 s are 1 / 2667 s in the mean; of the pairs one took nothing more and one a fifth."""
    both = {OURS: (2000.0, 4000.0), UNRECORDED: (2000.0, 5000.0)}
    twice = {name: [Rate(per_s=1.0, per_cpu_s=rate) for rate in rates] for name, rates in both.items()}
    assert [bound.measured for bound in bounds_of([a_repeat() | twice])] == ["1.33", "0.067", "10.0%"]


def test_the_rest_of_a_run_is_told_for_each_trial():
    """Two trials of 2 s warm-up and 10 s window: 24 s of 36 s."""
    run = a_run([a_trial(), a_trial(round=2)])
    bound = bound_of(run, wall_s=36.0, spent_s={"proofs": 3.0, "generator followed": 25.0})
    assert (bound.measured, bound.kept) == ("1.50", False)
    assert bound.details == (
        "36 s for 2 trials with 24 s of load; beside the load, for each trial: everything else 4.00 s, "
        "proofs 1.50 s, generator beside its load 0.50 s"
    )


def test_a_run_with_a_trial_that_was_not_measured_tells_no_time():
    whole = a_run([a_trial(), a_trial(RUNSERVER)], plan=a_plan(rounds=1))
    lacking = a_run([a_void_trial(reasons=("died", "late"))], plan=a_plan(rounds=1))
    first, second = (planned.id for planned in whole.plan.trials)
    assert not_measured(whole) == []
    assert not_measured(lacking) == [f"{first}: died; late", f"{second}: no line"]


def test_the_generator_is_not_measured_beside_a_stack_that_a_person_started(tmp_path):
    fake = FakeLab(make_checkout(tmp_path), FakeApp())
    fake.client.add("app", run="up")
    with pytest.raises(EnvironmentLacks, match="a stack is up"), alone(fake.lab):
        pass
    assert fake.client.removed == []


def test_the_clock_counts_what_is_called_once_and_puts_everything_back():
    class Owner:
        @staticmethod
        def outer():
            return Owner.inner() + 1

        @staticmethod
        def inner():
            return 1

    before, clock = (Owner.outer, Owner.inner), Clock()
    with clock.around([("outer", Owner, "outer"), ("inner", Owner, "inner")]):
        assert Owner.outer() == 2
    assert (Owner.outer, Owner.inner) == before
    assert set(clock.spent_s) == {"outer"}


@pytest.mark.parametrize(("kept", "code"), [(True, 0), (None, 0), (False, 1)])
def test_a_missed_limit_is_the_exit_code_and_the_result_is_there(tmp_path, capsys, kept, code):
    bound = Bound(what="time", measured="2 s", limit="at most 1 s", kept=kept)
    assert keep("reading", "Reading", [bound], folder=tmp_path / "new", conditions="one core") == code
    words = {True: "kept", False: "MISSED", None: ""}
    assert capsys.readouterr().out.startswith(f"time: 2 s; limit at most 1 s: {words[kept]}\n")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["reading.json"]
