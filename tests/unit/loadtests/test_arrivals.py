import itertools
import math
import statistics

import pytest

from shared.arrivals import Arrivals, idle_until, moments
from shared.recorder import Window
from shared.settings import Spacing, Step


def step(level, ramp_to=None, *, duration_s=1.0):
    return Step(level=level, ramp_to=ramp_to or level, duration_s=duration_s)


def due(*steps, warmup_s=0.0, spacing=Spacing.CONSTANT, seed=1, until_s):
    found = moments(steps, warmup_s=warmup_s, spacing=spacing, seed=seed)
    return list(itertools.takewhile(lambda moment_s: moment_s < until_s, found))


def begun(*, rate=10.0, warmup_s=1.0, duration_s=1.0, spacing=Spacing.CONSTANT):
    """Arrivals at ``rate`` from second 99 on, in a window from 100 to 101."""
    arrivals = Arrivals(
        steps=(step(rate, duration_s=duration_s),), warmup_s=warmup_s, spacing=spacing, seed=1
    )
    arrivals.begin(100.0 - warmup_s, window=Window(start_s=100.0, end_s=100.0 + duration_s))
    return arrivals


def counts(arrivals):
    return {key: value for key, value in arrivals.summary().items() if key != "lag"}


def test_a_constant_rate_is_even_from_the_beginning_on_without_drift():
    """The millionth arrival is due when rate x time says so."""
    assert due(step(4.0), until_s=1.0) == [0.0, 0.25, 0.5, 0.75]
    millionth = next(
        itertools.islice(moments([step(3.0)], warmup_s=0, spacing=Spacing.CONSTANT, seed=1), 10**6, None)
    )
    assert millionth == pytest.approx(10**6 / 3, rel=1e-12)


def test_poisson_arrivals_have_the_rate_and_the_spread_of_independent_visitors():
    """Mean and standard deviation of the gaps are both 1 / rate."""
    found = due(step(100.0), spacing=Spacing.POISSON, until_s=100.0)
    gaps = [later - earlier for earlier, later in itertools.pairwise(found)]
    assert len(found) == pytest.approx(10_000, abs=500)
    assert statistics.fmean(gaps) == pytest.approx(0.01, rel=0.05)
    assert statistics.stdev(gaps) == pytest.approx(0.01, rel=0.05)


def test_the_same_seed_gives_the_same_arrivals_and_another_others():
    first, same, other = (
        due(step(50.0), spacing=Spacing.POISSON, seed=seed, until_s=2.0) for seed in (1, 1, 2)
    )
    assert first == same != other


def test_the_warm_up_has_the_rate_of_the_beginning_and_the_last_rate_goes_on():
    found = due(step(2.0), step(4.0), warmup_s=1.0, until_s=4.0)
    assert found == [0.0, 0.5, 1.0, 1.5, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 3.75]


def test_a_ramp_has_the_mean_of_its_ends_and_grows_evenly():
    """From 10 to 30 per second in 10 s: 200 arrivals, of which 10 t + t^2 until t."""
    found = due(step(10.0, 30.0, duration_s=10.0), until_s=10.0)
    assert len(found) == 200
    assert [sum(moment_s < until for moment_s in found) for until in (1, 5)] == [11, 75]


def test_a_falling_ramp_is_a_ramp():
    found = due(step(30.0, 10.0, duration_s=10.0), until_s=10.0)
    assert sum(moment_s < 5.0 for moment_s in found) == 125
    assert len(found) == 200


def test_poisson_arrivals_follow_a_ramp():
    found = due(step(100.0, 300.0, duration_s=10.0), spacing=Spacing.POISSON, until_s=10.0)
    assert sum(moment_s < 5.0 for moment_s in found) == pytest.approx(750, abs=140)
    assert len(found) == pytest.approx(2_000, abs=225)


def test_a_free_user_takes_the_next_arrival_before_it_is_due():
    arrivals = begun()
    taken = [arrivals.take(99.0) for _ in range(3)]
    assert [each.due_s for each in taken] == pytest.approx([99.0, 99.1, 99.2])
    assert [each.queued for each in taken] == [False, False, False]


def test_what_is_sent_late_though_a_user_was_free_is_lag():
    """Every arrival of the window is sent 2 ms late."""
    arrivals = begun()
    for _ in range(20):
        taken = arrivals.take(99.0)
        arrivals.note_sent(taken, taken.due_s + 0.002)
    assert counts(arrivals) == {"scheduled": 10, "sent": 10, "queued": 0, "unsent": 0, "lost": 0}
    assert arrivals.lag == {2000: 10}


def test_what_nobody_was_free_to_take_in_time_is_queued_and_no_lag():
    """The only user was busy until 100.55: five arrivals (100.0 to 100.4) and that of 100.5 wait for it."""
    arrivals = begun()
    for _ in range(10):
        arrivals.note_sent(arrivals.take(99.0), 99.95)
    for _ in range(6):
        arrivals.note_sent(arrivals.take(100.55), 100.55)
    assert counts(arrivals) == {"scheduled": 10, "sent": 6, "queued": 6, "unsent": 4, "lost": 0}
    assert arrivals.lag == {}


def test_what_nobody_took_until_the_windows_end_is_unsent():
    arrivals = begun()
    for _ in range(12):
        arrivals.note_sent(arrivals.take(99.0), 99.0)
    assert arrivals.take(101.0) is None
    assert counts(arrivals) == {"scheduled": 10, "sent": 2, "queued": 0, "unsent": 8, "lost": 0}
    assert arrivals.unsent() == pytest.approx([100.2, 100.3, 100.4, 100.5, 100.6, 100.7, 100.8, 100.9])


def test_what_was_taken_and_never_sent_is_lost():
    arrivals = begun()
    for _ in range(20):
        arrivals.take(99.0)
    assert arrivals.held == 10
    assert counts(arrivals) == {"scheduled": 10, "sent": 0, "queued": 0, "unsent": 0, "lost": 10}


def test_nothing_before_or_after_the_window_is_counted():
    arrivals = begun()
    taken = [arrivals.take(99.0) for _ in range(25)]
    for each in (*taken[:10], *taken[20:]):
        arrivals.note_sent(each, each.due_s + 0.5)
    assert counts(arrivals) == {"scheduled": 10, "sent": 0, "queued": 0, "unsent": 0, "lost": 10}
    assert arrivals.lag == {}


def test_scheduled_is_rate_times_time():
    assert begun(rate=333.0, duration_s=3.0).summary()["scheduled"] == pytest.approx(999, abs=1)


def test_without_a_window_the_schedule_goes_on_and_all_is_counted():
    """As on Locust's page."""
    arrivals = Arrivals(steps=(step(10.0),), warmup_s=2.0, spacing=Spacing.CONSTANT, seed=1)
    arrivals.begin(50.0, window=None)
    taken = [arrivals.take(1e9) for _ in range(40)][-1]
    assert (taken.due_s, taken.queued) == (pytest.approx(53.9), True)
    arrivals.note_sent(taken, 60.0)
    assert counts(arrivals) == {"scheduled": 0, "sent": 1, "queued": 1, "unsent": 0, "lost": 39}
    assert str(arrivals) == "open arrival: 1 requests were sent, 1 of them late: every user was busy"
    arrivals.begin(90.0, window=None)
    assert counts(arrivals) == {"scheduled": 0, "sent": 0, "queued": 0, "unsent": 0, "lost": 0}


STEPS = (step(2, duration_s=1.0), step(8, duration_s=2.0), step(4, duration_s=1.0))


@pytest.mark.parametrize(
    ("number", "elapsed_s", "until_s"),
    [
        pytest.param(1, -5.0, None, id="warm-up, of the first step"),
        pytest.param(2, -5.0, 1.0, id="warm-up, needed in the second step"),
        pytest.param(7, 0.5, 1.0, id="needed in the second step"),
        pytest.param(7, 1.0, None, id="in the second step"),
        pytest.param(4, 3.0, math.inf, id="not needed any more"),
        pytest.param(3, 3.5, None, id="in the last step"),
        pytest.param(3, 99.0, None, id="after the window as in the last step"),
        pytest.param(8, -1.0, math.inf, id="never needed"),
    ],
)
def test_when_a_user_is_needed(number, elapsed_s, until_s):
    """Two users, then eight, then four."""
    assert idle_until(STEPS, number, elapsed_s) == until_s
