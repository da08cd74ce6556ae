"""Requests with more patience than anything that they are answered by."""

from __future__ import annotations

import socket
import threading

import pytest

from serverlab.faults.callers import Caller, Callers
from tests.fake_app import FakeApp, serving


@pytest.fixture
def deaf():
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("status", [200, 504])
def test_the_status_of_the_answer_is_told(status):
    app = FakeApp(statuses={"/healthz": status})
    with serving(app) as url:
        asked = Caller(url, "/healthz", timeout_s=2)
        asked.start()
        asked.join(within_s=2)
        found = asked.so_far()
    assert (found.status, found.ended, found == asked.so_far()) == (status, True, True)


@pytest.mark.parametrize(
    ("answer", "from_app"),
    [
        (b"HTTP/1.1 503 Later\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 503 Request timed out\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 429 Slowly\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n", False),
    ],
)
def test_an_outage_of_which_the_app_itself_tells_says_when_to_ask_again(answer, from_app):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        serving_one = threading.Thread(target=serve)
        serving_one.start()
        asked = Caller(f"http://127.0.0.1:{listener.getsockname()[1]}", "/", timeout_s=2)
        asked.start()
        asked.join(within_s=2)
        serving_one.join()
    assert asked.so_far().from_app is from_app


def test_while_there_is_no_answer_the_seconds_go_on_and_then_end_without_a_status(deaf):
    asked = Caller(deaf, "/healthz", timeout_s=0.3)
    asked.start()
    first, second = asked.so_far(), asked.so_far()
    assert (first.status, first.ended, first.after_s < second.after_s) == (None, False, True)
    asked.join(within_s=2)
    assert (asked.so_far().status, asked.so_far().ended, asked.failure) == (None, True, "TimeoutError")


def test_who_lets_go_waits_no_longer(deaf):
    callers = Callers(deaf, "/healthz", count=3, timeout_s=60)
    callers.start()
    assert (callers.pending(), len(set(callers.ports))) == (3, 3)
    callers.let_go()
    assert callers.join(within_s=2) == 0
    assert (callers.statuses, callers.failures) == ([], ["RemoteDisconnected"] * 3)


def test_letting_go_of_what_is_over_changes_nothing():
    with serving(FakeApp()) as url:
        callers = Callers(url, "/healthz", count=2, timeout_s=2)
        callers.start()
        callers.join(within_s=2)
        callers.let_go()
    assert (callers.statuses, callers.failures) == ([200, 200], [])
