"""A server of known behaviour: /api/ping/ is answered as planted, all else by the app, through a small WSGI server.

Writes of the ledger are made by the app, with the mistakes that are planted. A supervisor forks LAB_WORKERS workers,
each with a thread for every connection. It puts a worker that died in its place anew, and wakes one that stopped
itself. Standard library only, Django for the app apart.
"""

import io
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from planted import Planted, Truth, Writes

PING = b"/api/ping/"
LEDGER = b"/lab/ledger/"
IDLE_S = 75.0
LONGEST_LINE = 1 << 16
ENDED = Path("/data/ended")
"""Says that the server has ended once; the volume outlasts its container's processes."""

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class Request:
    """One request: header names are in upper case."""

    method: str
    path: bytes
    headers: dict[str, str]
    body: bytes

    @property
    def is_last(self) -> bool:
        """Whether the client wants the connection closed."""
        return self.headers.get("CONNECTION", "").lower() == "close"


def read_request(stream: io.BufferedReader) -> Request | None:
    """The next request of a connection, None at its end."""
    line = stream.readline(LONGEST_LINE).split()
    if len(line) != 3:
        return None
    headers = {}
    while (header := stream.readline(LONGEST_LINE).strip()) != b"":
        name, _, value = header.partition(b":")
        headers[name.decode("latin-1").upper()] = value.strip().decode("latin-1")
    body = stream.read(int(headers.get("CONTENT-LENGTH", "0")))
    return Request(method=line[0].decode("ascii"), path=line[1], headers=headers, body=body)


def environ_of(request: Request, client: str) -> dict[str, Any]:
    """What PEP 3333 wants the app to be told."""
    path, _, query = request.path.decode("latin-1").partition("?")
    headers = {f"HTTP_{name.replace('-', '_')}": value for name, value in request.headers.items()}
    return {
        **headers,
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": request.headers.get("CONTENT-TYPE", ""),
        "CONTENT_LENGTH": request.headers.get("CONTENT-LENGTH", ""),
        "SERVER_NAME": "calibration",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def answered(app: App, environ: dict[str, Any], server: str) -> bytes:
    """The app's whole answer as it goes over the wire."""
    stated: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        kept = [f"{name}: {value}" for name, value in headers if name.lower() != "content-length"]
        stated[:] = [f"HTTP/1.1 {status}", f"Server: {server}", *kept]

    result = app(environ, start_response)
    try:
        body = b"".join(result)
    finally:
        getattr(result, "close", lambda: None)()
    head = "\r\n".join([*stated, f"Content-Length: {len(body)}", "", ""])
    return head.encode("latin-1") + body


class Worker:
    """Serves every connection that it takes from the listening socket."""

    def __init__(self, app: App, planted: Planted, *, first: bool) -> None:
        """A worker; ``first`` says that it takes nobody's place."""
        self.app = app
        self.planted = planted
        self.truth = Truth(planted, first=first)
        self.writes = Writes(planted)
        self.logs = os.environ.get("LAB_ACCESS_LOG") == "on"

    def work(self, listener: socket.socket) -> NoReturn:
        """Take connections for ever, each into a thread of its own."""
        while True:
            time.sleep(self.planted.accept_ms / 1000)
            connection, (client, _) = listener.accept()
            threading.Thread(target=self.serve, args=(connection, client), daemon=True).start()

    def serve(self, connection: socket.socket, client: str) -> None:
        """Answer the requests of a connection until it ends or idles."""
        connection.settimeout(IDLE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(self.planted.writes == 1))
        with connection, connection.makefile("rb") as stream:
            try:
                while (request := read_request(stream)) and self._keeps(connection, request, client):
                    pass
            except OSError:
                return  # the client has gone

    def _keeps(self, connection: socket.socket, request: Request, client: str) -> bool:
        if self.logs:
            print(client, request.method, request.path.decode("latin-1"), flush=True)
        if request.path == PING:
            return self.truth.answer(connection) and not request.is_last
        time.sleep(self.planted.app_ms / 1000)
        if request.path == LEDGER and request.method == "POST":
            connection.sendall(self.writes.answer(request.body, partial(self._make, request, client)))
        else:
            connection.sendall(self._make(request, client))
        return not request.is_last

    def _make(self, request: Request, client: str, query: str = "") -> bytes:
        asked = replace(request, path=request.path + query.encode())
        return answered(self.app, environ_of(asked, client), self.planted.server)


def supervise(start: Callable[..., None], planted: Planted) -> NoReturn:
    """Put workers in the place of those that end, and let those that stop go on after a while."""
    while True:
        pid, status = os.waitpid(-1, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            time.sleep(planted.stall_s)
            os.kill(pid, signal.SIGCONT)
        elif planted.ends and not ENDED.exists():
            ENDED.touch()
            sys.exit(1)
        else:
            start(first=False)


def main() -> None:
    """Serve until killed."""
    planted = Planted.read(os.environ.get("LAB_PLANTED", ""))
    time.sleep(planted.start_s)
    sys.path.insert(0, "/app")
    from config.wsgi import application  # noqa: PLC0415 - a slow start begins before it

    listener = socket.create_server(("0.0.0.0", 8000), backlog=planted.backlog)  # noqa: S104 - in a container

    def start(*, first: bool) -> None:
        if os.fork() == 0:
            Worker(application, planted, first=first).work(listener)

    for _ in range(int(os.environ["LAB_WORKERS"]) - planted.lacking):
        start(first=True)
    supervise(start, planted)


if __name__ == "__main__":
    main()
