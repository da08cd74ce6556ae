"""What a variant plants: the truths, and what becomes of each request for /api/ping/ and each write of the ledger."""

import dataclasses
import itertools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

PONG = b'{"ping": "pong"}'
HELD: list[bytes] = []
"""What leaks."""


@dataclasses.dataclass(frozen=True)
class Planted:
    """The truths of one variant, as LAB_PLANTED states them: ``service_ms=20 leak_kib=64``; 0 is not planted.

    ``service_ms`` is slept before each right answer and grows by ``ramp_ms`` in each second after the first request;
    ``cpu_ms`` is computed, ``leak_kib`` kept for ever. Of a hundred requests ``fail`` get status 500 and ``drop`` no
    answer, both at once; ``hang`` get none and keep their connection for as long as the client does. The process stops
    for ``stall_s``, first one second after the first request and then every ``every_s``; or it dies ``dies_s`` after
    the first request, and with ``ends`` the whole server, once. ``writes`` is in how many parts an answer is sent, with
    Nagle's algorithm if there are two. The server listens ``start_s`` late, with this ``backlog``, and waits
    ``accept_ms`` before it takes each connection; ``lacking`` is how many workers fewer than asked for it starts.
    ``server`` is what it calls itself. Whatever the app answers is ``app_ms`` late.

    Of the writes of the ledger each is acknowledged ``early_ms`` before it is made; every ``lose_nth`` is acknowledged
    and never made, every ``double_nth`` is made twice.
    """

    service_ms: float = 0
    ramp_ms: float = 0
    cpu_ms: float = 0
    leak_kib: int = 0
    fail: int = 0
    drop: int = 0
    hang: int = 0
    stall_s: float = 0
    every_s: float = 0
    dies_s: float = 0
    ends: int = 0
    writes: int = 1
    start_s: float = 0
    backlog: int = 512
    accept_ms: float = 0
    lacking: int = 0
    server: str = "calibration"
    app_ms: float = 0
    early_ms: float = 0
    lose_nth: int = 0
    double_nth: int = 0

    @classmethod
    def read(cls, text: str) -> Self:
        """The truths in the text; ValueError or TypeError if one is unknown or no number."""
        kinds = {field.name: field.type for field in dataclasses.fields(cls)}
        pairs = (pair.split("=") for pair in text.split())
        return cls(**{name: kinds[name](value) for name, value in pairs})


STALLS = 3


class Truth:
    """Answers /api/ping/ as planted; one for each worker process."""

    def __init__(self, planted: Planted, *, first: bool) -> None:
        """The truth of a worker; ``first`` says that it takes nobody's place."""
        self.planted = planted
        self.first = first
        self._numbers = itertools.count(1)
        self._began_s = 0.0

    def answer(self, connection: socket.socket) -> bool:
        """Answer one request, and say whether the connection is kept."""
        number, planted = next(self._numbers), self.planted
        if number == 1:
            self._begin()
        if number % 100 in _spread(planted.drop, 11):
            return False
        if number % 100 in _spread(planted.hang, 9):
            connection.recv(1)  # returns when the client has gone, who sends nothing while it waits
            return False
        if number % 100 in _spread(planted.fail, 0):
            connection.sendall(_head("500 Internal Server Error", planted.server, 0))
            return True
        self._serve(time.monotonic() - self._began_s)
        self._send(connection, _head("200 OK", planted.server, len(PONG)), PONG)
        return True

    def _begin(self) -> None:
        planted = self.planted
        self._began_s = time.monotonic()
        for number in range(STALLS if planted.stall_s else 0):
            _later(1 + number * planted.every_s, os.kill, os.getpid(), signal.SIGSTOP)
        if planted.dies_s and self.first:
            _later(planted.dies_s, os._exit, 1)

    def _serve(self, elapsed_s: float) -> None:
        planted = self.planted
        if planted.leak_kib:
            HELD.append(b"x" * (planted.leak_kib << 10))
        if planted.cpu_ms:
            burn(planted.cpu_ms / 1000)
        if wait_ms := planted.service_ms + planted.ramp_ms * elapsed_s:
            time.sleep(wait_ms / 1000)

    def _send(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        if self.planted.writes == 1:
            connection.sendall(head + body)
            return
        connection.sendall(head)
        connection.sendall(body)


class Writes:
    """Makes the writes of the ledger, with the mistakes that are planted; one for each worker process."""

    def __init__(self, planted: Planted) -> None:
        """No write has come yet."""
        self.planted = planted
        self._numbers = itertools.count(1)

    def answer(self, body: bytes, make: Callable[[str], bytes]) -> bytes:
        """The answer to a write; ``make`` has the app make it, with this query, and returns the app's own answer."""
        number, planted = next(self._numbers), self.planted
        if planted.lose_nth and number % planted.lose_nth == 0:
            return self._acknowledged(body)
        if planted.early_ms:
            _later(planted.early_ms / 1000, make, "")
            return self._acknowledged(body)
        if planted.double_nth and number % planted.double_nth == 0:
            make("?key=off")
            return make("?key=off")
        return make("")

    def _acknowledged(self, body: bytes) -> bytes:
        told = json.dumps({"key": json.loads(body)["key"]}).encode()
        return _head("201 Created", self.planted.server, len(told)) + told


def burn(cpu_s: float) -> None:
    """Use so much CPU time of this thread, nearly all of it in user mode: the clock is asked now and then."""
    until_s = time.thread_time() + cpu_s
    while time.thread_time() < until_s:
        sum(range(1000))


def _spread(share: int, offset: int) -> range:
    """So many of the numbers from 0 to 99, evenly spaced; those with different offsets have none in common."""
    return range(offset, 100, 100 // share) if share else range(0)


def _head(status: str, server: str, length: int) -> bytes:
    kind = "Content-Type: application/json"
    return f"HTTP/1.1 {status}\r\nServer: {server}\r\n{kind}\r\nContent-Length: {length}\r\n\r\n".encode()


def _later(delay_s: float, do: object, *arguments: object) -> None:
    timer = threading.Timer(delay_s, do, arguments)
    timer.daemon = True
    timer.start()
