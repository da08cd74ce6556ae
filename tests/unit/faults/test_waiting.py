"""A request with more patience than anything that it is answered by."""

from __future__ import annotations

import socket

import pytest

from serverlab.faults.fault import await_effect
from serverlab.faults.waiting import Waiting
from tests.fake_app import FakeApp, serving


def ended(asked):
    """How it ended, once nothing of it changes any more."""

    def done():
        return "ended" if asked.so_far()[1] == asked.so_far()[1] else None

    await_effect("it has ended", done, within_s=3)
    return asked.so_far()[0]


@pytest.mark.parametrize("status", [200, 504])
def test_the_status_of_the_answer_is_told(status):
    app = FakeApp(statuses={"/healthz": status})
    with serving(app) as url:
        assert ended(Waiting(url, "/healthz", timeout_s=2)) == status


def test_while_there_is_no_answer_the_seconds_go_on_and_then_end_without_a_status():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        asked = Waiting(f"http://127.0.0.1:{deaf.getsockname()[1]}", "/healthz", timeout_s=0.3)
        (first, before_s), (second, after_s) = asked.so_far(), asked.so_far()
        assert (first, second, before_s < after_s) == (None, None, True)
        assert ended(asked) is None
