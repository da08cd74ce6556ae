"""The generator is proven with planted answers: what the server did is what the result says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from serverlab.histogram import latency_of
from serverlab.shell import HostShell
from tests.contract.planted_server import answer

PLANTED = Path(__file__).with_name("planted_server.py")
WINDOW_S = 1.5
TIMEOUT_S = 0.5
USERS = 8
VARIABLES = {
    "LOCUST_HEADLESS": "true",
    "LOCUST_HOST": "http://127.0.0.1:8000",
    "LOCUST_USERS": USERS,
    "LOCUST_SPAWN_RATE": USERS,
    "LOCUST_RUN_TIME": 20,
    "LAB_LOAD_WARMUP_S": 0.3,
    "LAB_LOAD_DURATION_S": WINDOW_S,
    "LAB_LOAD_TIMEOUT_S": TIMEOUT_S,
}

Measure = Callable[..., dict[str, Any]]


@pytest.fixture
def measure() -> Measure:
    """A function that puts load on a server of known behaviour and returns the generator's result."""

    def measured(behaviour: str, *, workload: str = "ping") -> dict[str, Any]:
        variables = VARIABLES | {"LOCUST_LOCUSTFILE": f"/loadtests/{workload}/locustfile.py"}
        command = [
            "docker",
            "run",
            "--rm",
            "--init",
            "--network=none",
            "--read-only",
            "--tmpfs=/tmp",
            "--cap-drop=ALL",
        ]
        command += [
            "--label=org.serverlab=contract",
            f"--volume={PLANTED}:/planted_server.py:ro",
            "--entrypoint=sh",
        ]
        command += [f"--env={name}={value}" for name, value in variables.items()]
        script = f"python /planted_server.py {behaviour} & sleep 0.3; exec locust"
        ended = HostShell().run([*command, "serverlab/load:dev", "-c", script], timeout_s=60)
        assert ended.ok, ended.stderr
        *_, last = [json.loads(line) for line in ended.stdout.splitlines()]
        assert last["event"] == "result"
        return last

    return measured


def errors(result: Mapping[str, Any]) -> dict[tuple[str, int | None], int]:
    """How many requests failed, by kind and status."""
    return {(each["kind"], each["status"]): each["count"] for each in result["errors"]}


def encoded(result: Mapping[str, Any], *outcomes: str) -> list[str]:
    """The histograms of these outcomes."""
    return [each["encoded"] for each in result["histograms"] if each["outcome"] in outcomes]


def test_a_delay_of_50_ms_is_measured_as_such(measure: Measure) -> None:
    """Latency is the server's, and throughput follows from it."""
    result = measure("delayed")
    latency = latency_of(encoded(result, "ok"))
    assert latency.p50_us == pytest.approx(51_000, abs=3_000)
    assert result["requests_ended"] / WINDOW_S == pytest.approx(USERS / 0.051, rel=0.1)
    assert errors(result) == {}


def test_all_is_well_with_a_right_server(measure: Measure) -> None:
    """Kept-alive connections are opened once, before the window."""
    result = measure("right")
    assert result["ok_ended"] == result["requests_ended"] > 100
    assert result["bytes"] == 16 * result["requests_ended"]
    assert result["late"] <= USERS
    assert result["connections"] == {"opened": 0, "replaced": 0}


def test_every_request_is_looked_at_before_the_window(measure: Measure) -> None:
    """Bytes are those of the plain request and its answer; what the traced one is told are its queries."""
    (seen,) = measure("traced")["inspections"].values()
    assert seen["response_bytes"] == len(answer())
    assert seen["queries"] == seen["request_bytes"] > len("GET /api/ping/ HTTP/1.1")


def test_a_tenth_of_failures_is_counted_by_status(measure: Measure) -> None:
    """Also with a body that is no text."""
    result = measure("tenth_fails")
    failed = errors(result)["status", 503]
    everything = latency_of(encoded(result, "ok", "fail")).count
    assert failed / everything == pytest.approx(0.1, abs=0.01)
    assert list(errors(result)) == [("status", 503)]


@pytest.mark.parametrize(
    ("behaviour", "failure"),
    [
        ("wrong_body", ("content", 200)),
        ("redirects", ("status", 302)),
        ("cut_short", ("reset", None)),
    ],
)
def test_what_is_no_right_answer_fails(
    measure: Measure, behaviour: str, failure: tuple[str, int | None]
) -> None:
    """Every request of such a server is a failure of one kind."""
    result = measure(behaviour)
    assert list(errors(result)) == [failure]
    assert result["ok_ended"] == 0
    assert result["requests_ended"] > 100


@pytest.mark.parametrize("behaviour", ["hangs", "drips"])
def test_a_time_out_counts_as_failure_and_as_latency(measure: Measure, behaviour: str) -> None:
    """It bounds the whole exchange, not each read; the requests in flight at the window's end are waited for."""
    result = measure(behaviour)
    latency = latency_of(encoded(result, "timeout"))
    assert latency.p50_us == pytest.approx(TIMEOUT_S * 1e6, rel=0.05)
    assert errors(result) == {("timeout", None): latency.count}
    assert latency.count == pytest.approx(USERS * WINDOW_S / TIMEOUT_S, abs=USERS)
    assert result["late"] == USERS


def test_a_reset_instead_of_an_answer_is_seen(measure: Measure) -> None:
    """No request is sent again behind the recorder's back."""
    result = measure("resets_tenth")
    resets = errors(result)["reset", None]
    assert resets / latency_of(encoded(result, "ok", "fail")).count == pytest.approx(0.1, abs=0.01)
    assert result["connections"]["replaced"] == 0


def test_an_idle_connection_that_was_closed_is_replaced_and_counted(measure: Measure) -> None:
    """As browsers do it, but not in silence; a request that met the closing is a reset."""
    result = measure("closes_after_tenth")
    replaced = result["connections"]["replaced"]
    resets = errors(result).get(("reset", None), 0)
    assert set(errors(result)) <= {("reset", None)}
    assert (replaced + resets) / result["requests_ended"] == pytest.approx(0.1, abs=0.01)
    assert replaced > resets


def test_a_connection_for_every_request(measure: Measure) -> None:
    """ping-close keeps none, even if the server would."""
    result = measure("right", workload="ping-close")
    assert result["connections"]["opened"] == pytest.approx(result["requests_ended"], abs=2 * USERS)
    assert errors(result) == {}
