"""health.py: what the container's health check sends, and how it judges the answer."""

import socketserver
import threading

import pytest

import health

SERVER = {
    "default_variant": "http",
    "variants": {"http": {"protocol": "http"}, "plain": {}, "uwsgi": {"protocol": "uwsgi"}},
}


@pytest.mark.parametrize("variant", ["", "http", "plain"])
@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("", "localhost"),
        ("*", "localhost"),
        ("a.example,b.example", "a.example"),
        (".a.example", "a.example"),
    ],
)
def test_it_asks_for_a_host_that_the_app_allows(variant, allowed, host):
    """An app that knows its names would answer 400 to localhost."""
    asked = health.request(SERVER, {"LAB_VARIANT": variant, "DJANGO_ALLOWED_HOSTS": allowed})
    assert asked == f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


def test_it_speaks_the_uwsgi_protocol_to_a_variant_that_does():
    """A header with the length of what follows, then names and values with theirs."""
    asked = health.request(SERVER, {"LAB_VARIANT": "uwsgi"})
    assert (asked[0], int.from_bytes(asked[1:3], "little"), asked[3]) == (0, len(asked) - 4, 0)
    assert b"\x09\x00PATH_INFO\x08\x00/healthz" in asked


@pytest.fixture
def answering(monkeypatch, tmp_path):
    """Answer the check on a port of our own with given bytes; return how the check ends."""

    def end_of(answer):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.recv(1024)
                self.request.sendall(answer)

        with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.handle_request, daemon=True).start()
            monkeypatch.setattr(health, "ADDRESS", server.server_address)
            return outcome()

    def outcome():
        try:
            health.main()
        except SystemExit as stop:
            return stop.code
        return 0

    file = tmp_path / "server.toml"
    file.write_text('default_variant = "http"\n[variants.http]\n')
    monkeypatch.setattr(health, "SERVER_FILE", file)
    monkeypatch.delenv("LAB_VARIANT", raising=False)
    end_of.outcome = outcome
    return end_of


def test_only_a_200_is_well(answering):
    """Anything else is said, and ends with 1."""
    assert answering(b"HTTP/1.1 200 OK\r\n\r\n") == 0
    assert answering(b"HTTP/1.1 503 Service Unavailable\r\n\r\n") == (
        "health: b'HTTP/1.1 503 Service Unavailable\\r\\n'"
    )
    assert answering(b"") == "health: b''"


def test_a_server_that_is_not_there_is_not_well(answering, monkeypatch):
    """The refused connection is the reason."""
    monkeypatch.setattr(health, "ADDRESS", ("127.0.0.1", 1))
    assert answering.outcome() == "health: [Errno 111] Connection refused"
