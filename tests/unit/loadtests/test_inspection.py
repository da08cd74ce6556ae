import pytest

from shared.inspection import Exchange, Inspections, Tap, count_in


class Socket:
    """Answers with what is left of ``answer``."""

    timeout = 3.0

    def __init__(self, answer=b""):
        self.answer = answer
        self.sent = b""

    def sendall(self, data):
        self.sent += data

    def recv(self, size):
        data, self.answer = self.answer[:size], self.answer[size:]
        return data


def exchange(**changes):
    return Exchange(
        **{"request_bytes": 100, "response_bytes": 200, "queries": None, "traced": False} | changes
    )


def test_bytes_both_ways():
    """What is sent and what arrives is counted and handed on as it is."""
    socket = Socket(b"HTTP/1.1 200 OK")
    tap = Tap(socket)
    tap.sendall(b"GET / HTTP/1.1")
    assert (tap.recv(8), tap.recv(100), tap.recv(100)) == (b"HTTP/1.1", b" 200 OK", b"")
    assert socket.sent == b"GET / HTTP/1.1"
    assert (tap.sent_bytes, tap.received_bytes) == (14, 15)


def test_the_rest_of_a_socket():
    """Everything else is asked of the socket itself."""
    assert Tap(Socket()).timeout == 3.0


def test_bytes_of_the_plain_and_queries_of_the_traced():
    """The trace has headers of its own, which are not part of what the request costs."""
    seen = Inspections()
    seen.note("GET /b", exchange())
    seen.note("GET /b", exchange(request_bytes=117, response_bytes=230, queries=3, traced=True))
    seen.note("GET /a", exchange(request_bytes=90))
    assert list(seen.summary().items()) == [
        ("GET /a", {"request_bytes": 90, "response_bytes": 200, "queries": None}),
        ("GET /b", {"request_bytes": 100, "response_bytes": 200, "queries": 3}),
    ]


def test_the_first_of_a_name():
    """Requests of one name that differ are told by the first of them."""
    seen = Inspections()
    for size, queries in ((100, 1), (101, 2)):
        seen.note("GET /?page=N", exchange(request_bytes=size))
        seen.note("GET /?page=N", exchange(queries=queries, traced=True))
    assert seen.summary() == {"GET /?page=N": {"request_bytes": 100, "response_bytes": 200, "queries": 1}}


@pytest.mark.parametrize(
    ("stated", "count"),
    [("0", 0), ("501", 501), (None, None), ("", None), ("-1", None), ("many", None), ("٣", None)],
)
def test_a_stated_number(stated, count):
    """Only digits are a number; an app that states none is no mistake."""
    assert count_in(stated) == count
