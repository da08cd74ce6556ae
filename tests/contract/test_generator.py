"""The generator is proven with planted answers: what the server did is what the result says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from serverlab import load
from serverlab.histogram import latency_of
from serverlab.model.definitions import Arrival, Step, Workload
from serverlab.model.records import LoadResult
from serverlab.runner import gates
from serverlab.shell import HostShell
from tests.contract.planted_server import SERVICE_S, STALL_S, answer
from tests.unit.builders import a_workload

PLANTED = Path(__file__).with_name("planted_server.py")
BURNING = Path(__file__).with_name("burning_locustfile.py")
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

CONTAINER = [
    "docker",
    "run",
    "--rm",
    "--init",
    "--network=none",
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--label=org.serverlab=contract",
]
LEAVES = """
import locust, types, gevent, gevent.socket, shared.sockets, websocket
socket = websocket.WebSocket()
socket.sock, silent = gevent.socket.socketpair()
socket.connected = True
leaving = gevent.spawn(shared.sockets.Subscriber.leave, types.SimpleNamespace(socket=socket))
gevent.sleep(0.1)
assert not leaving.dead, "nothing was waited for"
leaving.kill()
print(type(leaving.value).__name__, socket.sock)
"""
"""A subscriber says goodbye to somebody who never does, and is ordered to stop meanwhile."""

WAITS = """
import locust, sys, types, websocket, shared.sockets
from shared.clock import now_s
sys.path.append("/loadtests/idle-sockets")
import locustfile
told = []
def hear(wait_s):
    raise websocket.WebSocketTimeoutException
fire = lambda **event: told.append(event)
events = types.SimpleNamespace(request=types.SimpleNamespace(fire=fire))
socket = types.SimpleNamespace(send=lambda text: None, shutdown=lambda: told.append("closed"))
class Patient(locustfile.Holder):
    def __init__(self):
        self.number, self.socket, self.hear = 0, socket, hear
        self.environment = types.SimpleNamespace(events=events)
    def obtain_token(self, counted): pass
    def connect(self, counted): told.append("connected")
began_s = now_s()
locustfile.now_s = lambda: began_s - 5
Patient().ping()
ping, *after = told
print(round(ping["response_time"], -2), ping["start_time"] == began_s - 5, ping["exception"].kind, *after)
"""
"""A ping that began five seconds ago gets no answer in time."""

Measure = Callable[..., dict[str, Any]]


@pytest.fixture
def measure() -> Measure:
    """A function that puts load on a server of known behaviour and returns the generator's result."""

    def measured(
        behaviour: str, *, workload: str = "ping", changes: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        variables = (
            VARIABLES | {"LOCUST_LOCUSTFILE": f"/loadtests/{workload}/locustfile.py"} | (changes or {})
        )
        command = [
            *CONTAINER,
            f"--volume={PLANTED}:/planted_server.py:ro",
            f"--volume={BURNING}:/loadtests/burning/locustfile.py:ro",
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


RATE = 100.0
STALL_WINDOW_S = 4.0
STALLED = RATE * STALL_S / (RATE * STALL_WINDOW_S)
"""The share of the arrivals of the window that are due while the server stalls."""


def an_open_workload(**changes: Any) -> Workload:
    """100 requests per second for 4 s, up to 64 in flight."""
    plain = {
        "arrival": Arrival.OPEN,
        "rate": RATE,
        "users": 64,
        "warmup_s": 0.5,
        "duration_s": STALL_WINDOW_S,
        "timeout_s": 5.0,
    }
    return a_workload(**plain | changes)


def seen(measure: Measure, behaviour: str, workload: Workload, *, name: str = "ping") -> LoadResult:
    """What the lab reads of such a load."""
    variables = load.headless_variables(name, workload, url=str(VARIABLES["LOCUST_HOST"]))
    return load.read_result(measure(behaviour, changes=variables))


def test_open_arrival_shows_a_stall_to_everybody_who_came_meanwhile(measure: Measure) -> None:
    """A quarter of the arrivals come while the server stalls for a second, and wait for its end, evenly from 0 to 1 s.

    So 0.25 * (1 - x) of all wait longer than x: p90 is 0.6 s, p99 0.96 s. There are 64 users, so that 36 of the 100
    find nobody free to send them. None is lost, and the server answers all of them before the window ends.
    """
    workload = an_open_workload()
    result = seen(measure, "stalls_once", workload)
    assert result.latency.p90_us == pytest.approx((1 - 0.1 / STALLED) * STALL_S * 1e6, abs=100_000)
    assert result.latency.p99_us == pytest.approx((1 - 0.01 / STALLED) * STALL_S * 1e6, abs=100_000)
    assert result.latency.max_us == pytest.approx(STALL_S * 1e6, abs=100_000)
    assert result.scheduled == result.sent == result.ok == RATE * STALL_WINDOW_S
    assert result.queued == pytest.approx(RATE * STALL_S - workload.users, abs=15)
    assert result.unsent == result.lost == 0


def test_closed_arrival_hides_the_same_stall(measure: Measure) -> None:
    """Nobody comes who would wait: of thousands of requests only as many are slow as there are users."""
    workload = an_open_workload(arrival=Arrival.CLOSED, rate=None, users=USERS)
    result = seen(measure, "stalls_once", workload)
    assert result.latency.max_us == pytest.approx(STALL_S * 1e6, abs=100_000)
    assert result.latency.count > 100 * USERS
    assert result.latency.p99_us is not None
    assert result.latency.p99_us < STALL_S * 1e6 / 5


def test_more_than_the_server_can_do_waits_and_is_counted_and_is_no_lag(measure: Measure) -> None:
    """Twice its rate: half of the arrivals are never sent, latency grows by a second each second."""
    capacity = 1 / SERVICE_S
    workload = an_open_workload(rate=2 * capacity, users=16, duration_s=3.0)
    result = seen(measure, "one_at_a_time", workload)
    due = 2 * capacity * workload.duration_s
    assert result.ok <= 1.05 * capacity * workload.duration_s
    assert result.scheduled == pytest.approx(due, abs=1)
    assert (result.sent or 0) + (result.unsent or 0) == result.scheduled
    assert result.unsent is not None
    assert result.unsent > due / 4
    assert result.queued == result.sent
    assert result.lag is not None
    assert result.lag.count == result.lost == 0
    first, second, *_ = result.per_second
    assert second.p50_us is not None
    assert first.p50_us is not None
    assert second.p50_us - first.p50_us > 300_000
    assert list(gates.of_arrivals(result, workload)) == []


def test_a_generator_that_cannot_keep_the_rate_says_so_and_is_void(measure: Measure) -> None:
    """Its tasks take 15 ms of its own CPU for each arrival, of which there is one every 10 ms: it falls behind."""
    workload = an_open_workload(duration_s=1.5)
    result = seen(measure, "right", workload, name="burning")
    assert result.lag is not None
    assert result.loop_lag is not None
    assert (result.lag.p50_us or 0) > 10_000 or (result.loop_lag.p50_us or 0) > 10_000
    reasons = list(gates.of_arrivals(result, workload))
    assert reasons
    late = ("generator-bound: p99 of its lag on ", "generator-bound: half of its own ticks were late ")
    assert all(reason.startswith(late) for reason in reasons)


def test_a_ramp_is_what_is_asked_for_second_by_second(measure: Measure) -> None:
    """From 50 to 150 per second within 2 s, then a second at 150: each step has its mean rate times its length."""
    steps = (Step(duration_s=2.0, rate=50.0, ramp_to=150.0), Step(duration_s=1.0, rate=150.0))
    result = seen(measure, "right", an_open_workload(rate=None, steps=steps, duration_s=3.0))
    assert [each.latency.count for each in result.steps] == pytest.approx([200, 150], abs=1)
    assert [each.count for each in result.per_second] == pytest.approx([75, 125, 150], abs=1)
    assert result.rate == pytest.approx(350 / 3)


def test_steps_of_users_bring_more_of_them(measure: Measure) -> None:
    """Of answers that take 50 ms, one user gets 20 in a second, eight get 160."""
    steps = (Step(duration_s=1.0, users=1), Step(duration_s=1.0, users=USERS))
    workload = an_open_workload(
        arrival=Arrival.CLOSED, rate=None, users=USERS, steps=steps, duration_s=2.0, warmup_s=0.5
    )
    result = seen(measure, "delayed", workload)
    assert [each.latency.count for each in result.steps] == pytest.approx([20, 160], rel=0.15)


def test_a_subscriber_stops_when_it_is_told_to_also_while_it_says_goodbye() -> None:
    """Where the order is swallowed, Locust waits for that user for ever, and its page never says *stopped*."""
    command = [*CONTAINER, "--entrypoint=python", "serverlab/load:dev", "-c", LEAVES]
    ended = HostShell().run(command, timeout_s=60)
    assert ended.stdout.split() == ["GreenletExit", "None"], ended.stderr


def test_a_ping_without_an_answer_took_as_long_as_it_was_waited_for() -> None:
    command = [*CONTAINER, "--entrypoint=python", "serverlab/load:dev", "-c", WAITS]
    ended = HostShell().run(command, timeout_s=60)
    assert ended.stdout.split() == ["5000.0", "True", "timeout", "closed", "connected"], ended.stderr
