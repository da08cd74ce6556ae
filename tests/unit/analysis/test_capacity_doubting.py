"""What is doubtful about the trials whose numbers stand in a row of capacities, and what is not."""

import pytest

from serverlab.analysis.capacity_doubting import doubts
from serverlab.analysis.evidence import Sample
from tests.unit.builders import a_latency, a_load, a_trial

PLATEAU = (
    "from 50 % to 90 % of its capacity: p50 is 45.6–46.7 ms and does not grow with the load, on kept connections: "
    "consistent with Nagle's algorithm waiting for a delayed ACK, where an answer is sent in two small writes"
)


def a_sample(*, p50_us=5000, count=4000, opened=0, speeds=(40.0, 40.0), **counts):
    """One of 1000 arrivals for 64 users, which all were sent at once unless told otherwise."""
    load = a_load(
        latency=a_latency(count, p50_us=p50_us),
        connections={"opened": opened},
        **{"users": 64, "scheduled": 1000, "queued": 0, "unsent": 0} | counts,
    )
    trial = a_trial(load=load, speed_before=speeds[0], speed_after=speeds[1])
    return Sample(trial, load)


def said(confirmed=None, *, core_speed=40.0, **at_shares):
    """The doubts, the shares given in percent: ``at_90=...``."""
    samples = {int(name.removeprefix("at_")) / 100: each for name, each in at_shares.items()}
    return list(doubts(confirmed, samples, core_speed=core_speed))


def test_where_arrivals_were_sent_when_due_and_the_core_kept_its_speed_there_is_no_doubt():
    assert said(a_sample(), at_50=a_sample(), at_90=a_sample()) == []
    assert said() == []


def test_arrivals_that_waited_for_a_user_are_named_from_one_in_a_hundred_on():
    late = "of the arrivals found all 64 users busy and were sent late: their waiting is in the latencies"
    assert said(a_sample(queued=60), at_50=a_sample(queued=9), at_90=a_sample(queued=10)) == [
        f"at its capacity: 6.0 % {late}",
        f"at 90 % of its capacity: 1.0 % {late}",
    ]


def test_a_single_arrival_that_was_never_sent_is_named():
    (doubt,) = said(at_90=a_sample(unsent=1))
    assert doubt == (
        "at 90 % of its capacity: 0.10 % of the arrivals were never sent, because all 64 users were busy: the "
        "latencies have what they had waited when the window ended"
    )


def test_a_core_that_was_over_a_tenth_slower_before_or_after_a_trial_is_named():
    shown = {
        "at_50": a_sample(speeds=(36.0, 40.0)),
        "at_70": a_sample(speeds=(35.9, 40.0)),
        "at_90": a_sample(speeds=(40.0, 24.4)),
    }
    assert said(a_sample(speeds=(30.0, 30.0)), **shown) == [
        "at its capacity: just before or after it the core was 25 % slower than the run's median",
        "at 70 % of its capacity: just before or after it the core was 10 % slower than the run's median",
        "at 90 % of its capacity: just before or after it the core was 39 % slower than the run's median",
    ]


@pytest.mark.parametrize(("speeds", "core_speed"), [((None, None), 40.0), ((24.4, 24.4), None)])
def test_a_speed_that_was_not_read_is_no_doubt(speeds, core_speed):
    assert said(at_90=a_sample(speeds=speeds), core_speed=core_speed) == []


def test_what_older_runs_do_not_say_is_no_doubt():
    assert said(at_90=a_sample(scheduled=None, queued=None, unsent=None)) == []


def test_medians_that_stay_where_delayed_acks_put_them_are_a_doubt_of_all_shares():
    shares = {"at_50": a_sample(p50_us=45_600), "at_70": a_sample(p50_us=46_700)}
    assert said(a_sample(), **shares, at_90=a_sample(p50_us=46_300)) == [PLATEAU]
    assert said(at_50=shares["at_50"], at_90=shares["at_70"]) == [PLATEAU]


@pytest.mark.parametrize(
    "last",
    [
        {"p50_us": 38_900},
        {"p50_us": 50_100},
        {"count": 19},
        {"opened": 1000},
    ],
)
def test_medians_that_move_with_the_load_or_were_met_on_new_connections_are_no_plateau(last):
    shares = {"at_50": a_sample(p50_us=45_600), "at_70": a_sample(p50_us=46_700)}
    assert said(**shares, at_90=a_sample(**{"p50_us": 46_000} | last)) == []


def test_one_share_alone_shows_no_plateau():
    assert said(at_50=a_sample(p50_us=45_600)) == []
