"""What a stack shows to the public, asked of small sites that are sound or broken in one known way."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType, SimpleNamespace

import httpx2
import pytest

from serverlab.attacks import headers, outside
from serverlab.model.security import Verdict

SOUND = {
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Site(BaseHTTPRequestHandler):
    """Answers as it should: 400 to foreign hosts, JSON to all mistakes, every header on everything."""

    protocol_version = "HTTP/1.1"
    added = SOUND
    kept = "no-store"
    inside = b""

    def version_string(self):
        return "planted"

    def respond(self):
        foreign = self.headers.get("Host", "").split(":")[0] != "127.0.0.1"
        page = self.path in ("/", "/healthz")
        length = int(self.headers.get("Content-Length") or 0)
        wrong = foreign or "%ff" in self.path
        status = 400 if wrong else 413 if length > 1_000_000 else 200 if page else 404
        self.rfile.read(length)
        self.answer(status, {"detail": "planted"})

    def answer(self, status, document):
        body = json.dumps(document).encode() + self.inside
        self.send_response(status)
        for name, value in self.added.items():
            self.send_header(name, value)
        if self.path.startswith("/api/auth/"):
            self.send_header("Cache-Control", self.kept)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def send_error(self, code, message=None, explain=None):
        self.answer(code, {"detail": "planted"})

    def log_message(self, *args):
        """Nothing."""

    do_GET = do_POST = do_DELETE = do_BREW = respond  # noqa: N815 - as http.server has it


@pytest.fixture
def stage():
    """A function that puts a site up and returns a stage for it."""
    servers = []

    def made(site):
        server = ThreadingHTTPServer(("127.0.0.1", 0), site)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        clients.append(httpx2.Client(base_url=url))
        return SimpleNamespace(url=url, tls_url=None, client=clients[-1], access="a.b.c")

    clients = []
    yield made
    for each in (*clients, *servers):
        (each.close if isinstance(each, httpx2.Client) else each.shutdown)()
    for server in servers:
        server.server_close()


@pytest.mark.parametrize(
    "attack", [outside.foreign_hosts, outside.traversal, outside.errors, outside.versions, headers.headers]
)
def test_a_sound_site_passes(stage, attack):
    found = attack(stage(Site))
    assert found.verdict is Verdict.PASS, found.seen


class HearsAnyHost(Site):
    def respond(self):
        self.answer(200, {"see": f"https://{self.headers.get('Host')}/"})

    do_GET = respond  # noqa: N815 - the same


class BelievesForwardedHosts(Site):
    def respond(self):
        self.added = SOUND | {"Location": f"https://{self.headers.get('X-Forwarded-Host')}/"}
        super().respond()

    do_GET = respond  # noqa: N815 - the same


class HandsOutFiles(Site):
    inside = b"INSTALLED_APPS = []"


class ShowsTracebacks(Site):
    inside = b"Traceback (most recent call last)"


class AnswersPages(Site):
    def answer(self, status, document):
        self.inside = b"<html>"
        super().answer(status, document)


class TakesBrokenBytes(Site):
    found = 200

    def answer(self, status, document):
        super().answer(self.found if "%ff" in self.path else status, document)


class LosesBrokenBytes(TakesBrokenBytes):
    found = 404


class TellsItsVersion(Site):
    def version_string(self):
        return "Planted/2.4.1"


class ForgetsAHeader(Site):
    added = MappingProxyType({name: SOUND[name] for name in SOUND if name != "X-Content-Type-Options"})


class LetsTokensBeKept(Site):
    kept = "max-age=60"


@pytest.mark.parametrize(
    ("attack", "site", "seen"),
    [
        (outside.foreign_hosts, HearsAnyHost, "another host: 200"),
        (outside.foreign_hosts, BelievesForwardedHosts, "X-Forwarded-Host: 200, repeats the name"),
        (outside.traversal, HandsOutFiles, "/.env: 404, shows 'INSTALLED_APPS'"),
        (outside.errors, ShowsTracebacks, "unknown page: 404, no JSON, shows 'Traceback (most recent'"),
        (outside.errors, AnswersPages, "unknown page: 404, no JSON"),
        (outside.errors, TakesBrokenBytes, "broken UTF-8 in the query: 200"),
        (outside.errors, LosesBrokenBytes, "broken UTF-8 in the query: 404"),
        (outside.versions, TellsItsVersion, "Planted/2.4.1"),
        (headers.headers, ForgetsAHeader, "http, the page: 200 without x-content-type-options"),
        (headers.headers, LetsTokensBeKept, "http, 401: 404 without cache-control"),
    ],
)
def test_a_site_that_is_broken_fails_with_what_was_seen(stage, attack, site, seen):
    found = attack(stage(site))
    assert found.verdict is Verdict.FAIL
    assert seen in found.seen
