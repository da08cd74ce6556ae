"""The generator's result is taken apart, and its end is awaited."""

import json

import pytest

from serverlab import load
from serverlab.compose import Engine
from serverlab.errors import Exit
from serverlab.model.definitions import Arrival, Spacing, Step
from serverlab.model.records import Failure, Inspection, Second
from tests.fake_engine import FakeClient
from tests.unit.builders import a_workload
from tests.unit.test_histogram import encoded


def histogram(name, outcome, *values_us, second=0):
    return {
        "second": second,
        "name": name,
        "outcome": outcome,
        "count": len(values_us),
        "encoded": encoded(*values_us),
    }


def a_result(**changes):
    plain = {
        "event": "result",
        "t": 1007.0,
        "format": 2,
        "users": 16,
        "arrival": "closed",
        "arrivals": None,
        "steps": [],
        "loop_lag": encoded(100, 300),
        "window_start": 1000.0,
        "window_end": 1006.0,
        "requests_ended": 7,
        "ok_ended": 5,
        "bytes": 1234,
        "late": 2,
        "seconds": [{"ended": 3, "ok": 2}, *[{"ended": 1, "ok": 1}] * 2, *[{"ended": 0, "ok": 0}] * 3],
        "errors": [],
        "histograms": [histogram("GET /a", "ok", 100, 200), histogram("GET /b", "ok", 300)],
        "versions": {"locust": "2.47.0"},
        "connections": {"opened": 16, "replaced": 1},
        "inspections": {
            "GET /a": {"request_bytes": 120, "response_bytes": 240, "queries": 2},
            "GET /b": {"request_bytes": 130, "response_bytes": 260, "queries": None},
        },
    }
    return plain | changes


def test_counts_are_taken_over_as_the_generator_counted_them():
    result = load.read_result(a_result())
    assert (result.users, result.ended, result.ok, result.late, result.body_bytes) == (16, 7, 5, 2, 1234)
    assert result.window_s == 6.0
    assert result.versions == {"locust": "2.47.0"}
    assert result.connections == {"opened": 16, "replaced": 1}


def test_what_was_seen_of_each_request_is_kept_by_its_name():
    assert load.read_result(a_result()).inspections == {
        "GET /a": Inspection(request_bytes=120, response_bytes=240, queries=2),
        "GET /b": Inspection(request_bytes=130, response_bytes=260, queries=None),
    }


def test_all_names_are_merged_into_one_latency_and_kept_apart_too():
    result = load.read_result(a_result())
    assert (result.latency.count, result.latency.p50_us, result.latency.max_us) == (3, 200, 300)
    assert {name: each.max_us for name, each in result.by_name.items()} == {"GET /a": 200, "GET /b": 300}


def test_time_outs_are_failures_and_latency_and_other_failures_are_not_latency():
    result = load.read_result(
        a_result(
            histograms=[
                histogram("GET /a", "ok", 100),
                histogram("GET /a", "timeout", 900),
                histogram("GET /a", "fail", 5),
                histogram("GET /c", "fail", 7),
            ]
        )
    )
    assert (result.latency.count, result.latency.max_us) == (2, 900)
    assert (result.by_name["GET /a"].count, result.by_name["GET /a"].max_us) == (2, 900)
    assert (result.latency_failed.count, result.latency_failed.max_us) == (2, 7)
    assert list(result.by_name) == ["GET /a"]


def test_a_closed_workload_has_no_schedule():
    result = load.read_result(a_result())
    assert (result.arrival, result.rate, result.scheduled, result.lag) == ("closed", None, None, None)
    assert result.loop_lag.max_us == 300


AT_A_RATE = {"level": 10.0, "ramp_to": 10.0, "duration_s": 6.0}
ARRIVALS = {"scheduled": 60, "sent": 58, "queued": 5, "unsent": 2, "lost": 0, "lag": encoded(50, 70)}


def test_an_open_workload_tells_what_became_of_its_arrivals():
    result = load.read_result(a_result(arrival="open", steps=[AT_A_RATE], arrivals=ARRIVALS))
    assert (result.arrival, result.rate, result.steps) == ("open", 10.0, ())
    assert (result.scheduled, result.sent, result.queued, result.unsent, result.lost) == (60, 58, 5, 2, 0)
    assert (result.lag.count, result.lag.max_us) == (2, 70)


def test_what_was_never_sent_is_latency_of_no_name():
    parts = [histogram("GET /a", "ok", 100), histogram("", "unsent", 4000)]
    result = load.read_result(
        a_result(arrival="open", steps=[AT_A_RATE], arrivals=ARRIVALS, histograms=parts)
    )
    assert (result.latency.count, result.latency.max_us, list(result.by_name)) == (2, 4001, ["GET /a"])


def test_each_second_has_its_own_counts_and_percentiles():
    parts = [
        histogram("GET /a", "ok", 100, 200, second=0),
        histogram("GET /b", "timeout", 900, second=0),
        histogram("GET /b", "fail", 5, second=1),
        histogram("GET /b", "ok", 40, second=2),
    ]
    seconds = load.read_result(a_result(histograms=parts)).per_second
    nothing = Second(ended=0, ok=0, failed=0, count=0, p50_us=None, p99_us=None)
    assert seconds == (
        Second(ended=3, ok=2, failed=1, count=3, p50_us=200, p99_us=900),
        Second(ended=1, ok=1, failed=0, count=0, p50_us=None, p99_us=None),
        Second(ended=1, ok=1, failed=0, count=1, p50_us=40, p99_us=40),
        *[nothing] * 3,
    )


def test_each_step_has_the_requests_of_its_seconds():
    steps = [
        {"level": 10.0, "ramp_to": 30.0, "duration_s": 2.0},
        {"level": 30.0, "ramp_to": 30.0, "duration_s": 4.0},
    ]
    parts = [histogram("GET /a", "ok", value_us, second=second) for second, value_us in enumerate((1, 2, 3))]
    result = load.read_result(a_result(arrival="open", steps=steps, arrivals=ARRIVALS, histograms=parts))
    assert result.rate == pytest.approx((40 + 120) / 6)
    assert [(each.level, each.ramp_to, each.duration_s) for each in result.steps] == [
        (10, 30, 2),
        (30, 30, 4),
    ]
    assert [(each.ended, each.ok, each.latency.count, each.latency.max_us) for each in result.steps] == [
        (4, 3, 2, 2),
        (1, 1, 1, 3),
    ]


def test_the_latencies_are_kept_in_the_formats_of_hdrhistogram(generator):
    raw = await_result(generator, line(**a_result())).raw
    assert sorted(raw) == ["hgrm", "hlog", "load.json"]
    assert raw["hgrm"].splitlines()[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    assert raw["hlog"].splitlines()[3].startswith("Tag=GET_/a_ok,1000.000,1.000,0.200,HIST")


def test_where_everything_failed_latency_is_absent():
    result = load.read_result(a_result(histograms=[histogram("GET /a", "fail", 5)]))
    assert (result.latency.count, result.latency.p50_us, result.by_name) == (0, None, {})


def test_failures_keep_their_name_kind_status_count_and_example():
    told = {"name": "GET /a", "kind": "status", "status": 503, "count": 2, "example": "503 for GET"}
    bare = {"name": "GET /a", "kind": "timeout", "status": None, "count": 1}
    assert load.read_result(a_result(errors=[told, bare])).failures == (
        Failure(name="GET /a", kind="status", status=503, count=2, example="503 for GET"),
        Failure(name="GET /a", kind="timeout", status=None, count=1, example=""),
    )


@pytest.mark.parametrize("number", [1, None])
def test_another_format_is_refused_with_the_way_out(number):
    with pytest.raises(load.GeneratorBroke) as refused:
        load.read_result(a_result(format=number))
    assert refused.value.what == f"the generator speaks format {number}, this lab reads 2"
    assert refused.value.hint == "Build the images again: `make images`."


@pytest.fixture
def generator():
    """A generator's container; its output is set by the test."""
    return FakeClient().add(
        "load", status="exited", logged=["Traceback", "ImportError: no locust"], exit_code=1
    )


def await_result(generator, *chunks, events=None):
    generator.output = lambda: chunks
    seen = [] if events is None else events
    return load.await_result(Engine(generator.client), a_workload(), seen.append)


def line(**event):
    return json.dumps(event).encode() + b"\n"


def test_every_event_is_handed_on_until_the_result_comes(generator):
    events = []
    result = json.dumps(a_result()).encode()
    generated = await_result(
        generator,
        line(event="warming", users=16),
        line(event="measured"),
        result + b"\n",
        b"later",
        events=events,
    )
    assert [each["event"] for each in events] == ["warming", "measured", "result"]
    assert generated.result.ok == 5
    assert generated.raw["load.json"] == result.decode() + "\n"


def test_what_is_no_event_is_noise_and_does_no_harm(generator):
    events = []
    noise = b"[2026] locust/INFO: Starting\n[1, 2]\n\n"
    await_result(generator, noise, line(**a_result()), events=events)
    assert [(each["event"], each.get("line")) for each in events[:3]] == [
        ("noise", "[2026] locust/INFO: Starting"),
        ("noise", "[1, 2]"),
        ("noise", ""),
    ]


def test_a_result_that_comes_in_pieces_is_put_together(generator):
    whole = line(**a_result())
    pieces = [whole[start : start + 50] for start in range(0, len(whole), 50)]
    assert await_result(generator, *pieces).result.ended == 7


def test_a_generator_that_ends_without_a_result_is_told_with_its_last_lines(generator):
    with pytest.raises(load.GeneratorBroke) as broke:
        await_result(generator, line(event="warming"))
    assert broke.value.what == (
        "the generator ended without a result\n"
        "serverlab-load-1 ended with 1:\n"
        "  | Traceback\n"
        "  | ImportError: no locust"
    )
    assert broke.value.exit_code is Exit.ENVIRONMENT
    assert generator.waited == [30]


def test_a_generator_that_gives_up_says_why(generator):
    with pytest.raises(load.GeneratorBroke) as broke:
        await_result(generator, line(event="broken", reason="3 of 16 users ready in 20 s"))
    assert broke.value.what.splitlines()[0] == "the generator gave up: 3 of 16 users ready in 20 s"


def test_a_result_cut_short_is_no_result(generator):
    with pytest.raises(load.GeneratorBroke, match="ended without a result"):
        await_result(generator, line(**a_result())[:-40])


def test_a_generator_in_time_is_not_stopped(generator):
    await_result(generator, line(**a_result()))
    assert not generator.killed


def test_a_generator_that_never_ends_is_stopped(generator):
    workload = a_workload(warmup_s=0.01, duration_s=0.01, timeout_s=0.01 - load.MARGIN_S)

    def output():
        while not generator.killed:
            yield line(event="progress")

    generator.output = output
    with pytest.raises(load.GeneratorBroke, match="ended without a result"):
        load.await_result(Engine(generator.client), workload, lambda _: None)


def test_a_headless_run_is_configured_by_its_workload():
    workload = a_workload(users=8, warmup_s=1.5, duration_s=5.0, timeout_s=3.0, think_time_ms=5.0)
    assert load.headless_variables("ping", workload, url="http://app:8000") == {
        "LOCUST_HEADLESS": "true",
        "LOCUST_LOCUSTFILE": "/loadtests/ping/locustfile.py",
        "LOCUST_HOST": "http://app:8000",
        "LOCUST_USERS": "8",
        "LOCUST_SPAWN_RATE": "8",
        "LOCUST_RUN_TIME": "40",
        "LAB_LOAD_WARMUP_S": "1.5",
        "LAB_LOAD_DURATION_S": "5.0",
        "LAB_LOAD_TIMEOUT_S": "3.0",
        "LAB_LOAD_THINK_MS": "5.0",
        "LAB_LOAD_PARAMETERS": "{}",
        "LAB_LOAD_ARRIVAL": "closed",
        "LAB_LOAD_SPACING": "constant",
        "LAB_LOAD_STEPS": "[]",
        "LAB_LOAD_SEED": "1",
    }


def test_an_open_workload_is_handed_over_as_one_step_at_its_rate():
    workload = a_workload(arrival=Arrival.OPEN, rate=250.0, spacing=Spacing.POISSON, duration_s=5.0)
    variables = load.headless_variables("ping", workload, url="http://app:8000", seed=3)
    assert {
        key: value
        for key, value in variables.items()
        if key.endswith(("ARRIVAL", "SPACING", "STEPS", "SEED"))
    } == {
        "LAB_LOAD_ARRIVAL": "open",
        "LAB_LOAD_SPACING": "poisson",
        "LAB_LOAD_STEPS": "[[250.0, 250.0, 5.0]]",
        "LAB_LOAD_SEED": "3",
    }


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        (
            {
                "arrival": Arrival.OPEN,
                "steps": (Step(duration_s=2, rate=10, ramp_to=50), Step(duration_s=3, rate=50)),
            },
            "[[10.0, 50, 2], [50.0, 50.0, 3]]",
        ),
        (
            {"steps": (Step(duration_s=2, users=4), Step(duration_s=3, users=8))},
            "[[4.0, 4.0, 2], [8.0, 8.0, 3]]",
        ),
    ],
)
def test_steps_are_handed_over_as_they_are(changes, steps):
    assert load.headless_variables("ping", a_workload(**changes), url="http://a")["LAB_LOAD_STEPS"] == steps


def test_the_page_has_the_workloads_arrival_too():
    chosen = a_workload(arrival=Arrival.OPEN, rate=20.0)
    variables = load.web_variables(["ping"], "ping", chosen, url="http://edge:8080")
    assert (variables["LAB_LOAD_ARRIVAL"], variables["LAB_LOAD_STEPS"]) == ("open", "[[20.0, 20.0, 10.0]]")


def test_a_variant_is_its_workloads_locustfile_with_parameters():
    variables = load.headless_variables(
        "lists:naive", a_workload(parameters={"strategy": "naive"}), url="http://app:8000"
    )
    assert variables["LOCUST_LOCUSTFILE"] == "/loadtests/lists/locustfile.py"
    assert variables["LAB_LOAD_PARAMETERS"] == '{"strategy": "naive"}'


def test_the_page_offers_every_workload_the_chosen_one_first():
    names = ["ping", "profile", "wait"]
    variables = load.web_variables(names, "profile", a_workload(users=8), url="http://edge:8080")
    assert variables["LOCUST_LOCUSTFILE"] == (
        "/loadtests/profile/locustfile.py,/loadtests/ping/locustfile.py,/loadtests/wait/locustfile.py"
    )
    assert (variables["LOCUST_USERS"], variables["LOCUST_HEADLESS"]) == ("8", "false")


def test_the_page_begins_with_the_chosen_variant_of_a_workload():
    chosen = a_workload(parameters={"strategy": "naive"})
    variables = load.web_variables(["ping", "lists"], "lists:naive", chosen, url="http://edge:8080")
    assert variables["LOCUST_LOCUSTFILE"] == "/loadtests/lists/locustfile.py,/loadtests/ping/locustfile.py"
    assert variables["LAB_LOAD_PARAMETERS"] == '{"strategy": "naive"}'
