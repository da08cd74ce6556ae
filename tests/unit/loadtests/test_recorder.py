import base64

import pytest
from hdrh.histogram import HdrHistogram

from shared.answers import Failure, Kind
from shared.counts import CAP_US
from shared.recorder import Recorder, Window

WINDOW = Window(start_s=100.0, end_s=106.0)


def recorder() -> Recorder:
    """A recorder whose window is open."""
    return Recorder(window=WINDOW)


def request(recorder, start_s, latency_ms, *, name="GET /", body_bytes=10, error=None):
    """Feed one request."""
    recorder.record(name, start_s=start_s, latency_ms=latency_ms, body_bytes=body_bytes, error=error)


def counts(recorder):
    """Throughput and the number of latencies."""
    summary = recorder.summary()
    return {key: summary[key] for key in ("requests_ended", "ok_ended", "bytes", "late")} | {
        "latencies": sum(each["count"] for each in summary["histograms"])
    }


def decoded(entry) -> HdrHistogram:
    """The histogram in an entry of a summary."""
    return HdrHistogram.decode(entry["encoded"])


@pytest.mark.parametrize(
    ("start_s", "latency_ms", "ended", "late", "latencies"),
    [
        pytest.param(99.0, 500.0, 0, 0, 0, id="before the window"),
        pytest.param(99.9, 200.0, 1, 0, 0, id="started before, ended inside"),
        pytest.param(100.0, 10.0, 1, 0, 1, id="started with the window"),
        pytest.param(103.0, 10.0, 1, 0, 1, id="inside"),
        pytest.param(105.9, 99.0, 1, 0, 1, id="ended just before the end"),
        pytest.param(105.5, 500.0, 0, 1, 1, id="ended at the end, which is outside"),
        pytest.param(105.9, 9000.0, 0, 1, 1, id="ended long after"),
        pytest.param(106.0, 1.0, 0, 0, 0, id="started at the end, which is outside"),
        pytest.param(99.0, 8000.0, 0, 0, 0, id="started before, ended after"),
    ],
)
def test_window_rule(start_s, latency_ms, ended, late, latencies):
    """Latency is of what starts in the window, throughput of what ends in it."""
    it = recorder()
    request(it, start_s, latency_ms)
    assert counts(it) == {
        "requests_ended": ended,
        "ok_ended": ended,
        "bytes": 10 * ended,
        "late": late,
        "latencies": latencies,
    }


def test_before_the_window_is_known():
    """What ended before the window was set is not counted, whenever it started."""
    it = Recorder()
    request(it, 103.0, 10.0)
    it.window = WINDOW
    assert counts(it) == {"requests_ended": 0, "ok_ended": 0, "bytes": 0, "late": 0, "latencies": 0}


def test_summary_without_window():
    """There is no summary of nothing."""
    with pytest.raises(RuntimeError, match="never opened"):
        Recorder().summary()


def test_failed_request_ends():
    """A failed request counts as ended and not as ok."""
    it = recorder()
    request(it, 103.0, 10.0, error=Failure(Kind.STATUS, "status 503 instead of 200", status=503))
    assert counts(it) == {"requests_ended": 1, "ok_ended": 0, "bytes": 10, "late": 0, "latencies": 1}


def test_failures_are_counted_apart():
    """Failures are counted by name, kind and status, with the first example of each."""
    it = recorder()
    for text in ("first", "second"):
        request(it, 103.0, 1.0, error=Failure(Kind.CONTENT, text, status=200))
    request(it, 103.0, 1.0, error=Failure(Kind.STATUS, "status 503 instead of 200", status=503))
    request(it, 103.0, 1.0, name="POST /b", error=Failure(Kind.RESET, "closed"))
    request(it, 103.0, 1.0, error=OSError("odd"))
    assert it.summary()["errors"] == [
        {"name": "GET /", "kind": "content", "status": 200, "count": 2, "example": "first"},
        {
            "name": "GET /",
            "kind": "status",
            "status": 503,
            "count": 1,
            "example": "status 503 instead of 200",
        },
        {"name": "POST /b", "kind": "reset", "status": None, "count": 1, "example": "closed"},
        {"name": "GET /", "kind": "other", "status": None, "count": 1, "example": "odd"},
    ]


def test_failures_follow_the_rule_for_latency():
    """Failures are those of the requests that started in the window."""
    it = recorder()
    failure = Failure(Kind.RESET, "closed")
    request(it, 99.9, 200.0, error=failure)
    request(it, 105.9, 200.0, error=failure)
    assert [each["count"] for each in it.summary()["errors"]] == [1]


def test_time_out():
    """A time-out is a failure and a latency."""
    it = recorder()
    request(it, 101.0, 10_000.0, error=Failure(Kind.TIMEOUT, "no whole answer in time"))
    summary = it.summary()
    assert [(each["kind"], each["count"]) for each in summary["errors"]] == [("timeout", 1)]
    [histogram] = summary["histograms"]
    assert histogram["outcome"] == "timeout"
    assert decoded(histogram).get_max_value() == pytest.approx(10_000_000, rel=0.001)


def test_histograms_by_second_name_and_outcome():
    """Each name and outcome has a histogram of its own for each second in which such a request began."""
    it = recorder()
    request(it, 101.0, 1.0, name="GET /b")
    request(it, 101.0, 1.0, name="GET /a", error=Failure(Kind.STATUS, "no", status=500))
    request(it, 101.0, 1.0, name="GET /a", error=Failure(Kind.TIMEOUT, "late"))
    request(it, 101.0, 1.0, name="GET /a")
    request(it, 101.5, 1000.0, name="GET /a")
    request(it, 102.0, 2.0, name="GET /a")
    found = [
        (each["second"], each["name"], each["outcome"], each["count"]) for each in it.summary()["histograms"]
    ]
    assert found == [
        (1, "GET /a", "fail", 1),
        (1, "GET /a", "ok", 2),
        (1, "GET /a", "timeout", 1),
        (1, "GET /b", "ok", 1),
        (2, "GET /a", "ok", 1),
    ]


def test_requests_are_counted_in_the_second_in_which_they_end():
    """Throughput of each second is of what ended in it, as that of the window."""
    it = recorder()
    request(it, 100.5, 1000.0)
    request(it, 105.99, 5.0)
    request(it, 105.0, 1.0, error=OSError("odd"))
    request(it, 105.5, 900.0)
    nothing = {"ended": 0, "ok": 0}
    assert it.summary()["seconds"] == [nothing, {"ended": 1, "ok": 1}, *[nothing] * 3, {"ended": 2, "ok": 1}]


def test_the_last_second_may_be_shorter():
    """A window of a second and a half has two seconds."""
    it = Recorder(window=Window(start_s=0.0, end_s=1.5))
    request(it, 1.4999999, 0.0)
    assert it.summary()["seconds"] == [{"ended": 0, "ok": 0}, {"ended": 1, "ok": 1}]


def test_what_was_never_sent_has_waited_until_the_windows_end():
    """It is no request and no failure, but its waiting is known to have been at least so long."""
    it = recorder()
    it.note_unsent(104.0)
    [histogram] = it.summary()["histograms"]
    assert (histogram["second"], histogram["name"], histogram["outcome"]) == (4, "", "unsent")
    assert decoded(histogram).get_max_value() == pytest.approx(2_000_000, rel=0.001)
    assert counts(it)["requests_ended"] == 0


def test_histogram_round_trip():
    """Histograms survive their encoding with three digits."""
    it = recorder()
    for latency_ms in range(1, 1001):
        request(it, 101.0, float(latency_ms))
    [histogram] = it.summary()["histograms"]
    base64.b64decode(histogram["encoded"], validate=True)
    found = decoded(histogram)
    assert found.get_total_count() == 1000
    for percentile in (50, 95, 99, 100):
        assert found.get_value_at_percentile(percentile) == pytest.approx(percentile * 10_000, rel=0.001)


@pytest.mark.parametrize(
    ("latency_ms", "recorded_us"), [(0.0, 1), (0.0004, 1), (0.25, 250), (500_000.0, CAP_US)]
)
def test_floor_and_cap(latency_ms, recorded_us):
    """Latencies are microseconds, none below the floor or above the cap, and none lost."""
    it = recorder()
    request(it, 101.0, latency_ms)
    [histogram] = it.summary()["histograms"]
    assert histogram["count"] == 1
    assert decoded(histogram).get_max_value() == pytest.approx(recorded_us, rel=0.001)


def test_idle_window():
    """A window without requests has a summary of zeros."""
    assert recorder().summary() == {
        "window_start": 100.0,
        "window_end": 106.0,
        "requests_ended": 0,
        "ok_ended": 0,
        "bytes": 0,
        "late": 0,
        "seconds": [{"ended": 0, "ok": 0}] * 6,
        "errors": [],
        "histograms": [],
    }


def test_examples_are_short():
    """An example does not carry a whole page along."""
    it = recorder()
    request(it, 101.0, 1.0, error=OSError("x" * 1000))
    assert len(it.summary()["errors"][0]["example"]) == 200
