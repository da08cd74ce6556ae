"""Requests that arrive at the same moment."""

from __future__ import annotations

import socket
import threading

from serverlab.attacks.race import Reply, post, together

ANSWERS = {
    "plain": b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}',
    "chunked": b'HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n4\r\n: 2}\r\n0\r\n\r\n',
    "none": b"",
}


class Turnstile:
    """Reads as many requests as there are answers, up to what is missing of each, before it answers any."""

    def __init__(self, answers):
        self.answers = answers
        self.missing = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_error):
        self.thread.join()
        self.server.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.getsockname()[1]}"

    def _serve(self):
        request = post(self.url, "/", {"refresh": "token"})
        connections = [self.server.accept()[0] for _ in self.answers]
        for connection in connections:
            got = b""
            while len(got) < len(request) - 1:
                got += connection.recv(len(request) - 1 - len(got))
        self.missing = [connection.recv(10) for connection in connections]
        for connection, answer in zip(connections, self.answers, strict=True):
            connection.sendall(answer)
            connection.close()


def test_no_request_is_whole_before_all_are_nearly_there():
    with Turnstile([ANSWERS["plain"], ANSWERS["chunked"], ANSWERS["none"]]) as site:
        replies = together(site.url, [post(site.url, "/", {"refresh": "token"})] * 3)
    assert site.missing == [b"}"] * 3
    assert replies == [Reply(200, {"a": 1}), Reply(401, {"a": 2}), Reply(0, {})]
