"""What containers used within a window, worked out by hand."""

import json
import os

import pytest

from serverlab.errors import LabError
from serverlab.model.usage import Usage
from serverlab.sampler import Sample, Sampler, as_lines, largest_pss, read, usage_within, working_set
from tests.fake_engine import FakeClient, plain_stats


def series(*points, role="app", container="one"):
    """Samples from (t, cpu_s, memory_bytes, throttled_s)."""
    return [
        Sample(t=t, role=role, container=container, cpu_s=cpu_s, memory_bytes=memory, throttled_s=throttled_s)
        for t, cpu_s, memory, throttled_s in points
    ]


def test_cpu_is_what_the_total_grew_between_samples_on_the_edges():
    samples = series((10, 1.0, 100, 0.0), (12, 2.5, 200, 0.5), (14, 3.0, 150, 0.75))
    assert usage_within(samples, start=10, end=14) == {
        "app": Usage(cpu_s=2.0, memory_peak_bytes=200, throttled_s=0.75, samples=3)
    }


def test_at_the_edges_of_the_window_the_totals_are_interpolated():
    # 1 s of CPU per second up to t=10, then 0.5: at 9.5 the total is 9.5, at 11 it is 10.5
    samples = series((9, 9.0, 1, 0.0), (10, 10.0, 1, 0.0), (12, 11.0, 1, 0.4))
    usage = usage_within(samples, start=9.5, end=11)["app"]
    assert (usage.cpu_s, usage.throttled_s) == (pytest.approx(1.0), pytest.approx(0.2))


def test_a_window_between_two_samples_gets_its_share_of_their_difference():
    usage = usage_within(series((0, 0.0, 50, 0.0), (10, 5.0, 70, 0.0)), start=2, end=4)["app"]
    assert (usage.cpu_s, usage.samples, usage.memory_peak_bytes) == (pytest.approx(1.0), 0, 0)


def test_memory_before_and_after_the_window_does_not_count():
    samples = series((0, 0, 900, 0), (1, 0, 100, 0), (2, 0, 300, 0), (3, 0, 200, 0), (4, 0, 999, 0))
    assert usage_within(samples, start=1, end=3)["app"].memory_peak_bytes == 300


def test_growth_is_the_ends_of_a_straight_line_through_the_readings_of_memory():
    readings = [(t, 0.0, 1000 + 100 * t + (5 if t % 2 else -5), 0.0) for t in range(11)]
    within = series((-1, 0.0, 9_999, 0.0), *readings, (11, 0.0, 1, 0.0))
    assert usage_within(within, start=0, end=10)["app"].memory_growth == pytest.approx(2.0, rel=0.01)
    steady = series(*((t, 0.0, 700, 0.0) for t in range(11)))
    assert usage_within(steady, start=0, end=10)["app"].memory_growth == 1


def test_few_readings_tell_no_growth():
    assert (
        usage_within(series(*((t, 0, 1, 0) for t in range(5))), start=0, end=4)["app"].memory_growth is None
    )


def test_growth_of_a_role_is_that_of_its_containers_together():
    one = series(*((t, 0.0, 100, 0.0) for t in range(11)), container="one")
    two = series(*((t, 0.0, 100 + 20 * t, 0.0) for t in range(11)), container="two")
    assert usage_within([*one, *two], start=0, end=10)["app"].memory_growth == pytest.approx(2.0)


def test_containers_of_one_role_are_summed():
    one = series((0, 0.0, 100, 0.0), (10, 4.0, 300, 1.0), container="one")
    two = series((0, 7.0, 200, 0.0), (5, 8.0, 250, 0.0), (10, 9.0, 50, 0.0), container="two")
    assert usage_within([*one, *two], start=0, end=10) == {
        "app": Usage(cpu_s=6.0, memory_peak_bytes=550, throttled_s=1.0, samples=2)
    }


def test_roles_are_kept_apart_and_the_order_of_samples_does_not_matter():
    app = series((0, 0.0, 1, 0.0), (10, 4.0, 1, 0.0))
    load = series((0, 0.0, 2, 0.0), (10, 1.0, 2, 0.0), role="load", container="two")
    usage = usage_within([app[1], load[1], load[0], app[0]], start=0, end=10)
    assert {role: each.cpu_s for role, each in usage.items()} == {"app": 4.0, "load": 1.0}


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 11), (11, 12)])
def test_without_samples_on_both_sides_of_the_window_there_is_no_answer(start, end):
    with pytest.raises(LabError, match="app: no samples on both sides of the measurement"):
        usage_within(series((0, 0.0, 1, 0.0), (10, 4.0, 1, 0.0)), start=start, end=end)


@pytest.mark.parametrize(
    ("statistics", "used"),
    [
        pytest.param({"usage": 100, "stats": {"inactive_file": 30, "anon": 5}}, 70, id="cgroup v2"),
        pytest.param(
            {"usage": 100, "stats": {"total_inactive_file": 40, "inactive_file": 30}}, 60, id="cgroup v1"
        ),
        pytest.param({"usage": 100, "stats": {}}, 100, id="not told"),
        pytest.param({"usage": 100}, 100, id="no details"),
        pytest.param({"usage": 10, "stats": {"inactive_file": 30}}, 0, id="never below zero"),
    ],
)
def test_the_inactive_page_cache_is_not_memory_in_use(statistics, used):
    assert working_set(statistics) == used


def test_a_sample_holds_what_the_engine_states():
    client = FakeClient()
    container = client.add("edge")
    client.stats_of = lambda _: {
        "cpu_stats": {
            "cpu_usage": {"total_usage": 1_500_000_000},
            "throttling_data": {"throttled_time": 250_000_000},
        },
        "memory_stats": {"usage": 1000, "stats": {"inactive_file": 100}},
    }
    sample = read(container)
    assert (sample.role, sample.container, len(sample.container)) == ("edge", container.id[:12], 12)
    assert (sample.cpu_s, sample.memory_bytes, sample.throttled_s) == (1.5, 900, 0.25)


V1 = {
    "cpu_stats": {
        "cpu_usage": {
            "total_usage": 414_921_546,
            "percpu_usage": [414_921_546, 0],
            "usage_in_kernelmode": 110_000_000,
            "usage_in_usermode": 300_000_000,
        },
        "throttling_data": {"periods": 5, "throttled_periods": 1, "throttled_time": 40_000_000},
    },
    "memory_stats": {
        "usage": 56_180_736,
        "max_usage": 58_277_888,
        "stats": {"inactive_file": 4096, "total_inactive_file": 180_736},
    },
}
V2 = {
    "cpu_stats": {
        "cpu_usage": {
            "total_usage": 414_921_000,
            "usage_in_kernelmode": 110_403_000,
            "usage_in_usermode": 304_518_000,
        },
        "throttling_data": {"periods": 5, "throttled_periods": 1, "throttled_time": 40_000_000},
    },
    "memory_stats": {"usage": 56_180_736, "stats": {"anon": 52_957_184, "inactive_file": 180_736}},
}


@pytest.mark.parametrize(
    ("stated", "user_s", "system_s", "cpu_s"),
    [
        pytest.param(V1, 0.3, 0.11, 0.414921546, id="cgroup v1"),
        pytest.param(V2, 0.304518, 0.110403, 0.414921, id="cgroup v2"),
    ],
)
def test_the_engines_words_are_read_on_both_versions_of_control_groups(stated, user_s, system_s, cpu_s):
    client = FakeClient()
    container = client.add("app")
    client.stats_of = lambda _: stated
    sample = read(container)
    assert (sample.user_s, sample.system_s, sample.cpu_s) == (user_s, system_s, cpu_s)
    assert (sample.memory_bytes, sample.throttled_s) == (56_000_000, 0.04)


def test_a_container_that_is_gone_or_not_running_gives_no_sample():
    client = FakeClient()
    gone, ended = client.add("app"), client.add("app")
    gone.remove()
    client.stats_of = lambda container: plain_stats(container) | {"memory_stats": {}}
    assert (read(gone), read(ended)) == (None, None)


def test_the_sampler_samples_what_it_watches_at_once_and_on_demand():
    client = FakeClient()
    app, edge = client.add("app"), client.add("edge")
    with Sampler() as sampler:
        sampler.watch([app])
        assert [each.role for each in sampler.samples] == ["app"]
        sampler.watch([edge])
        sampler.sample()
        roles = [each.role for each in sampler.samples[:5]]
    assert roles == ["app", "app", "edge", "app", "edge"]


def test_the_clock_is_read_with_every_sample_also_before_anything_is_measured():
    leads = iter([5.0, 5.0, 7.0, 5.0])
    sampler = Sampler(lead_s=lambda: next(leads))
    sampler.watch([FakeClient().add("app")])
    for _ in range(3):
        sampler.sample()
    assert sampler.leads_s == [5.0, 5.0, 7.0, 5.0]
    assert Sampler().leads_s == []


def test_samples_are_kept_as_one_json_object_per_line():
    lines = as_lines(series((1.5, 2.0, 3, 0.0), (2.0, 3.0, 3, 0.0))).splitlines()
    assert json.loads(lines[0]) == {
        "t": 1.5,
        "role": "app",
        "container": "one",
        "cpu_s": 2.0,
        "memory_bytes": 3,
        "throttled_s": 0.0,
        "user_s": None,
        "system_s": None,
        "pss": None,
        "connections": None,
    }
    assert len(lines) == 2


def detailed(t, *, cpu_s=0.0, container="one", role="app", **details):
    return Sample(
        t=t, role=role, container=container, cpu_s=cpu_s, memory_bytes=1, throttled_s=0.0, **details
    )


def test_user_and_system_time_are_the_exact_total_split_as_the_ticks_are():
    samples = [
        detailed(0, cpu_s=0.0, user_s=0.0, system_s=0.0),
        detailed(10, cpu_s=4.2, user_s=3.0, system_s=1.0),
    ]
    usage = usage_within(samples, start=0, end=10)["app"]
    assert (usage.user_s, usage.system_s) == (pytest.approx(3.15), pytest.approx(1.05))


@pytest.mark.parametrize(
    ("ticks", "cpu_s", "split"),
    [
        pytest.param({}, 4.0, (None, None), id="the engine does not tell"),
        pytest.param({"user_s": 0.0, "system_s": 0.0}, 4.0, (None, None), id="the engine tells nothing"),
        pytest.param({"user_s": 0.0, "system_s": 0.0}, 0.0, (0.0, 0.0), id="nothing was used"),
    ],
)
def test_user_and_system_time_that_are_not_told_are_absent_and_not_0(ticks, cpu_s, split):
    usage = usage_within([detailed(0, **ticks), detailed(10, cpu_s=cpu_s, **ticks)], start=0, end=10)["app"]
    assert (usage.user_s, usage.system_s) == split


def test_pss_is_the_largest_sum_over_the_processes_that_was_read_up_to_the_windows_end():
    samples = [
        detailed(0, pss={7: 900, 8: 900}),
        detailed(1, pss={7: 100, 8: 50}),
        detailed(2),
        detailed(3, pss={7: 90, 8: 70}),
        detailed(4.5, pss={7: 80, 8: 90}),
        detailed(9, pss={7: 999, 8: 999}),
    ]
    assert usage_within(samples, start=1, end=4)["app"].memory_pss_bytes == 170
    assert largest_pss(samples, start=1, end=4) == {7: 100, 8: 90}


def test_pss_of_replicas_is_summed_and_absent_where_one_was_not_read():
    two = [detailed(t, container="two", pss={9: 30}) for t in (0, 5)]
    one = [detailed(t, pss={7: 100}) for t in (0, 5)]
    unread = [detailed(t, container="three") for t in (0, 5)]
    assert usage_within([*one, *two], start=0, end=5)["app"].memory_pss_bytes == 130
    assert usage_within([*one, *unread], start=0, end=5)["app"].memory_pss_bytes is None


def test_connections_are_the_most_that_were_open_in_a_sample_of_the_window():
    samples = [detailed(t, role="db", connections=n) for t, n in ((0, 99), (1, 4), (2, 7), (3, 5), (4, 99))]
    usage = usage_within([*samples, detailed(0), detailed(4)], start=1, end=3)
    assert (usage["db"].connections, usage["app"].connections) == (7, None)


def test_memory_of_processes_is_read_when_it_is_asked_for_and_user_time_always():
    client = FakeClient()
    app = client.add("app")
    client.stats_of = lambda container: (
        plain_stats(container)
        | {
            "cpu_stats": {
                "cpu_usage": {
                    "total_usage": 3_000_000_000,
                    "usage_in_usermode": 2_000_000_000,
                    "usage_in_kernelmode": 1_000_000_000,
                }
            }
        }
    )
    sampler = Sampler()
    sampler.watch([app])
    sampler.weigh({app.id[:12]: [os.getpid()]})
    sampler.sample(weighing=True)
    sampler.sample()
    first, weighed, last = sampler.samples
    assert (first.pss, last.pss, list(weighed.pss)) == (None, None, [os.getpid()])
    assert weighed.pss[os.getpid()] > 1_000_000
    assert (first.user_s, first.system_s, first.connections) == (2.0, 1.0, None)


def test_connections_of_a_database_that_runs_elsewhere_are_absent():
    assert read(FakeClient().add("db", state={"Pid": os.getpid()})).connections is None
