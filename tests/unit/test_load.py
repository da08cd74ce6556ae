"""The generator's result is taken apart, and its end is awaited."""

import json

import pytest

from serverlab import load
from serverlab.compose import Engine
from serverlab.errors import Exit
from serverlab.model.records import Failure, Inspection
from tests.fake_engine import FakeClient
from tests.unit.builders import a_workload
from tests.unit.test_histogram import encoded


def histogram(name, outcome, *values_us):
    return {"name": name, "outcome": outcome, "count": len(values_us), "encoded": encoded(*values_us)}


def a_result(**changes):
    plain = {
        "event": "result",
        "t": 1007.0,
        "format": 1,
        "users": 16,
        "window_start": 1000.0,
        "window_end": 1006.0,
        "requests_ended": 7,
        "ok_ended": 5,
        "bytes": 1234,
        "late": 2,
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


@pytest.mark.parametrize("number", [2, None])
def test_another_format_is_refused_with_the_way_out(number):
    with pytest.raises(load.GeneratorBroke) as refused:
        load.read_result(a_result(format=number))
    assert refused.value.what == f"the generator speaks format {number}, this lab reads 1"
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
    assert generated.raw == result.decode()


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
    }


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
