"""The lab's generator with recording replaced by nothing: only how many requests have ended is known."""

from locust import task

from shared.answers import Expected
from shared.recorder import Recorder
from shared.users import Visitor

PONG = Expected(start=b'{"ping"', part=b'"pong"')
"""As of the workload ``ping``."""


def count_only(recorder: Recorder, _name: str, *, start_s: float, latency_ms: float, **_: object) -> None:
    """In the place of ``Recorder.record``: without a count there would be no rate."""
    window = recorder.window
    if window is not None and window.start_s <= start_s + latency_ms / 1000 < window.end_s:
        recorder.ok_ended += 1


Recorder.record = count_only


class Ping(Visitor):
    """As the workload ``ping``."""

    @task
    def ping(self) -> None:
        """One GET."""
        self.ask("GET", "/api/ping/", expect=PONG)
