"""Generators that are not the lab's own: how each is called, and what its output says.

Nothing is guessed: output that is not as it should be is an error, never a zero.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serverlab.errors import TrialFailed
from serverlab.model.crosscheck import Reading

LOG = "/tmp/requests.log"  # noqa: S108 - within the witness's container
SCRIPT = "/lab/percentiles.lua"
TAIL_S = 1.0
"""So much longer h2load asks than it is measured, so that what begins in the window also ends."""

GRACE_S = 30.0

LAB_LINE = re.compile(r"^LAB (\{.*\})$", re.MULTILINE)
LAB_KEYS = frozenset(
    [
        "requests",
        "duration_us",
        "bytes",
        "connect",
        "read",
        "write",
        "status",
        "timeout",
    ]
)
ENDED = re.compile(
    r"^requests: (?P<total>\d+) total, (?P<started>\d+) started, (?P<done>\d+) done, (?P<succeeded>\d+) succeeded, "
    r"(?P<failed>\d+) failed, (?P<errored>\d+) errored, (?P<timeout>\d+) timeout$",
    re.MULTILINE,
)


class BadOutput(TrialFailed):
    """A witness ended with an error, or said what it never says."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What every tool asks alike: one path, over so many kept connections, with these headers."""

    url: str
    headers: Mapping[str, str]
    connections: int
    warmup_s: float
    window_s: float
    timeout_s: float


def wrk_command(question: Question, *, lasts_s: float) -> list[str]:
    """Call wrk; it takes whole seconds and measures all of them, so its warm-up is a call of its own."""
    return [
        *_limited(lasts_s),
        "wrk",
        "--threads=1",
        f"--connections={question.connections}",
        f"--duration={math.ceil(lasts_s)}s",
        f"--timeout={math.ceil(question.timeout_s)}s",
        f"--script={SCRIPT}",
        *_headers(question),
        question.url,
    ]


def h2load_command(question: Question, *, rate: float | None) -> list[str]:
    """Call h2load with HTTP/1.1; with a ``rate``, which is that of all connections together.

    Its connections keep step: opened at once, all would ask at once. So with a rate they are opened one after the
    other, spread over the time between two requests of one of them (whole milliseconds, as h2load takes them).
    """
    lasts_s = question.warmup_s + question.window_s + TAIL_S
    if rate is None:
        pace = [f"--duration={math.ceil(lasts_s)}"]
    else:
        apart_ms = 1000 / rate
        at_once = max(1, math.ceil(1 / apart_ms))
        pace = [
            f"--requests={math.ceil(rate * lasts_s)}",
            f"--rps={rate / question.connections:.6f}",
            f"--rate={at_once}",
            f"--rate-period={max(1, math.floor(apart_ms * at_once))}ms",
        ]
    return [
        *_limited(lasts_s),
        "h2load",
        "--h1",
        "--threads=1",
        f"--clients={question.connections}",
        "--max-concurrent-streams=1",
        f"--connection-inactivity-timeout={math.ceil(question.timeout_s)}s",
        f"--log-file={LOG}",
        *pace,
        *_headers(question),
        question.url,
    ]


def read_wrk(output: str) -> Reading:
    """What wrk and its script have printed; what is not 2xx or 3xx has failed.

    It has no percentiles: before wrk tells them it adds samples that it takes to be missing.

    Raises:
        BadOutput: the script's line is missing, or not whole, or nothing was answered.
    """
    lines = LAB_LINE.findall(output)
    said: dict[str, int] = _json(lines[0]) if len(lines) == 1 else {}
    if said.keys() != LAB_KEYS or any(type(value) is not int for value in said.values()):
        raise BadOutput(f"wrk did not say what it measured:{_shown(output)}")
    ok = said["requests"] - said["status"]
    if min(said["duration_us"], ok) <= 0 or min(said.values()) < 0:
        raise BadOutput(f"wrk got no right answer:{_shown(output)}")
    return Reading(
        ok=ok,
        failed=sum(said[key] for key in ("status", "connect", "read", "write", "timeout")),
        window_s=said["duration_us"] / 1e6,
        count=said["requests"],
        p50_us=None,
        p99_us=None,
    )


def read_h2load(output: str, log: str, *, question: Question) -> Reading:
    """What h2load has measured, by its log of all requests: its own figures have no percentiles.

    The window begins with the first request, ``warmup_s`` later. As with the lab's own generator, throughput is of what
    ends in it, and latency of what begins in it.

    Raises:
        BadOutput: the summary or a line of the log is not as it should be, or the log does not reach the window's end.
    """
    summary = ENDED.findall(output)
    if len(summary) != 1:
        raise BadOutput(f"h2load did not say what it measured:{_shown(output)}")
    total, *_, errored, timeout = (int(text) for text in summary[0])
    requests = [_request(line) for line in log.splitlines()]
    if not requests:
        raise BadOutput(f"h2load logged no request:{_shown(output)}")
    if len(requests) > total:
        raise BadOutput(f"h2load made {total} requests and its log has {len(requests)}, of an earlier call")
    begin = min(began for began, _, _ in requests) + round(question.warmup_s * 1e6)
    end = begin + round(question.window_s * 1e6)
    if max(began + took for began, _, took in requests) < end:
        raise BadOutput(f"h2load ended before its window of {question.window_s:g} s did:{_shown(output)}")
    latencies = sorted(took for began, status, took in requests if begin <= began < end and _right(status))
    if not latencies:
        raise BadOutput(f"h2load got no right answer:{_shown(output)}")
    wrong = sum(begin <= began < end and not _right(status) for began, status, _ in requests)
    return Reading(
        ok=sum(begin <= began + took < end and _right(status) for began, status, took in requests),
        failed=wrong + errored + timeout,
        window_s=question.window_s,
        count=len(latencies),
        p50_us=percentile(latencies, 50),
        p99_us=percentile(latencies, 99),
    )


def percentile(ordered: Sequence[int], percent: float) -> int:
    """The smallest value that at least so many percent of the ordered values do not exceed.

    Source: the nearest-rank method, R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The American
    Statistician 50 (1996), 361-365, definition 1.
    """
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _limited(lasts_s: float) -> list[str]:
    return ["timeout", "--kill-after=5", str(math.ceil(lasts_s + GRACE_S))]


def _headers(question: Question) -> list[str]:
    return [f"--header={name}: {value}" for name, value in question.headers.items()]


def _request(line: str) -> tuple[int, int, int]:
    """When it began, its status, and how long it took, in microseconds."""
    try:
        began, status, took = (int(field) for field in line.split("\t"))
    except ValueError:
        raise BadOutput(f"h2load's log has the line {line!r}, which is no request") from None
    if took < 0:
        raise BadOutput(f"h2load's log has the line {line!r}, which took less than no time")
    return began, status, took


def _right(status: int) -> bool:
    return 200 <= status < 300


def _json(text: str) -> dict[str, int]:
    try:
        return dict(json.loads(text))
    except ValueError:
        return {}


def _shown(output: str) -> str:
    return "".join(f"\n  | {line}" for line in output.splitlines()[-12:]) or "\n  | (it said nothing)"
