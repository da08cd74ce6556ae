"""Whether a server that says so ends what is in flight when it is told to stop."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from serverlab import probe
from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.compose import Engine, StackSettings
from serverlab.model.definitions import Target, Track

CATALOG = load_catalog(CHECKOUT)


def drains(target: Target) -> bool:
    """Whether the target claims it: the capability is that of the production track."""
    claimed = "graceful_stop" in CATALOG.servers[target.server].capabilities
    return claimed and CATALOG.variant(target).track is Track.PRODUCTION


@pytest.mark.parametrize("name", [str(target) for target in CATALOG.targets() if drains(target)])
def test_a_request_in_flight_is_answered_before_the_server_stops(
    name: str, start: Callable[..., AbstractContextManager[StackSettings]], engine: Engine
) -> None:
    with start(CATALOG.target(name)) as stack:
        port = int(probe.front_url(engine, stack).rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(b"GET /lab/wait?ms=2000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answered, _, _ = select.select([client], [], [], 0.5)
            assert not answered, "the request is no longer in flight"
            for container in engine.containers("app"):
                # as `docker stop` does, but for the wait until it has stopped: the answer comes before
                container.kill(signal=container.attrs["Config"]["StopSignal"])
            answered, _, _ = select.select([client], [], [], 0)
            assert not answered, "answered or closed before every container had been told to stop"
            assert client.recv(64).split(b" ")[1] == b"200"
