"""WebSockets under attack: frames against the examples of RFC 6455, rows against servers of planted flaws."""

import json
import secrets
import threading
import time
from types import SimpleNamespace

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.server import serve

from serverlab.attacks import frames, sockets
from serverlab.attacks.profiles import ACCESS_LIFETIME_S
from serverlab.attacks.stage import failed, passed
from serverlab.model.definitions import Interface
from serverlab.model.security import Verdict
from tests.unit.attacks.sites import Site, a_stage


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (frames.frame(1, b"Hello", masked=False), "81 05 48 65 6c 6c 6f"),
        (frames.frame(1, b"Hello"), "81 85 00 00 00 00 48 65 6c 6c 6f"),
        (frames.frame(1, b"Hel", final=False, masked=False), "01 03 48 65 6c"),
        (frames.frame(2, bytes(256), masked=False)[:4], "82 7e 01 00"),
        (frames.frame(2, bytes(65536), masked=False)[:10], "82 7f 00 00 00 00 00 01 00 00"),
    ],
)
def test_frames_are_those_of_the_standard(made, wanted):
    assert made == bytes.fromhex(wanted)


class Feed:
    """The feed and its tickets, sound unless a flaw is planted."""

    def __init__(self, *, origins=True, single_use=True):
        self.origins = origins
        self.single_use = single_use
        self.tickets = set()

    def __call__(self, request):
        """Answer over HTTP: tickets, and accounts to get them with."""
        if request.url.path.endswith("/login/"):
            return httpx2.Response(200, json={"access": "an-access-token", "refresh": "a-refresh-token"})
        if request.url.path.endswith("/ticket/"):
            self.tickets.add(ticket := secrets.token_hex(8))
            return httpx2.Response(201, json={"ticket": ticket})
        return httpx2.Response(200, json={})

    def let_in(self, link, request):
        """Refuse a handshake before it is accepted; None lets it in."""
        own = f"http://{request.headers['Host']}"
        if self.origins and request.headers.get("Origin") != own:
            return link.respond(403, "foreign\n")
        offered = request.headers.get("Sec-WebSocket-Protocol", "").split(", ")
        brought = [each.removeprefix("ticket.") for each in offered if each.startswith("ticket.")]
        if len(brought) != 1 or brought[0] not in self.tickets:
            return link.respond(403, "no ticket\n")
        if self.single_use:
            self.tickets.remove(brought[0])
        return None

    @staticmethod
    def attend(link):
        """Answer 20 messages, and close the socket at the next one."""
        try:
            link.send(json.dumps({"type": "welcome"}))
            for _ in range(20):
                link.send(link.recv())
            link.recv()
            link.close(4408)
        except ConnectionClosed:
            return


@pytest.fixture
def asked():
    """Put an attack to a feed that is served on a port of this machine."""
    servers = []

    def ask(attack, feed):
        server = serve(
            feed.attend,
            "127.0.0.1",
            0,
            process_request=feed.let_in,
            subprotocols=[sockets.PROTOCOL],
            max_size=4096,
            max_queue=None,
            compression=None,
        )
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        top = {"Titles": ["PID", "RSS"], "Processes": [["1", "2048"]]}
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        return attack(
            a_stage(
                feed, interface=Interface.ASGI, url=url, container=SimpleNamespace(top=lambda ps_args: top)
            )
        )

    yield ask
    for server in servers:
        server.shutdown()


@pytest.mark.parametrize("attack", [sockets.foreign_pages, sockets.wrong_tickets, sockets.odd_frames])
def test_a_sound_feed_passes(asked, attack):
    outcome = asked(attack, Feed())
    assert outcome.verdict is Verdict.PASS, outcome


@pytest.mark.parametrize(
    ("attack", "feed", "seen"),
    [
        (sockets.foreign_pages, Feed(origins=False), "Origin None: 101"),
        (sockets.wrong_tickets, Feed(single_use=False), "used ticket: 101"),
    ],
)
def test_a_planted_flaw_is_found(asked, attack, feed, seen):
    outcome = asked(attack, feed)
    assert (outcome.verdict, outcome.seen.startswith(seen)) == (Verdict.FAIL, True), outcome


def test_a_server_without_websockets_is_not_asked():
    outcome = sockets.served(sockets.foreign_pages)(a_stage(Site()))
    assert (outcome.verdict, outcome.reason) == (Verdict.NA, "serves WSGI, no WebSocket")


def test_a_server_without_websockets_is_asked_where_daphne_is_beside_it():
    attack = sockets.served(lambda _stage: passed("asked"))
    assert attack(a_stage(Site(), realtime=True)) == passed("asked")


def test_every_row_but_the_one_for_wsgi_is_asked_with_daphne_beside_the_server_too():
    asked = [*sockets.ATTACKS[:-1], *sockets.PATIENT]
    assert {each.id: each.profile for each in sockets.SPLIT} == {f"{each.id}s": "split" for each in asked}
    assert [each.run for each in sockets.SPLIT] == [each.run for each in asked]


def test_the_memory_that_grows_is_that_of_who_holds_the_sockets():
    asked = []
    stage = a_stage(Site(), realtime=True)
    top = {"Titles": ["PID", "RSS"], "Processes": [["1", "2048"]]}
    container = SimpleNamespace(top=lambda ps_args: top)
    stage.engine.service = lambda name: asked.append(name) or container
    assert (sockets._memory_mib(stage), asked) == (2.0, ["realtime"])


def test_every_row_but_the_one_for_them_spares_such_servers():
    asked = [*sockets.ATTACKS[:-1], *sockets.PATIENT]
    na = {attack.id for attack in asked if attack.run(a_stage(Site())).verdict is Verdict.NA}
    assert na == {"A4-20", "A4-21", "A4-22", "A4-23", "A4-24"}


def endings(stage, monkeypatch, **late_s):
    """What becomes of sockets that are closed as they should, but for those that take so long; and the pauses."""
    pauses, names = [], {ending.name.replace(" ", "_"): ending for ending in sockets.ENDINGS}

    def closed(_stage, ending):
        name = next(name for name, each in names.items() if each is ending)
        if late_s.get(name) == "refused":
            raise WebSocketException("no")
        return ending.code, late_s.get(name, ending.within_s / 2)

    monkeypatch.setattr(sockets, "_closed", closed)
    asked = sockets.served(sockets.ended_credentials)(stage)
    while True:
        try:
            pauses.append(next(asked))
        except StopIteration as ended:
            return ended.value, pauses


ASGI = {"interface": Interface.ASGI}


def test_sockets_that_end_with_their_credential_pass_and_the_stack_is_left_to_others_meanwhile(monkeypatch):
    before = time.time()
    outcome, pauses = endings(a_stage(lambda _: None, **ASGI), monkeypatch)
    assert outcome.verdict is Verdict.PASS, outcome
    assert [each - before for each in pauses] == [pytest.approx(ACCESS_LIFETIME_S - 1.0, abs=0.9)]
    assert outcome.measured["log_out_s"] == sockets.AT_ONCE_S / 2


@pytest.mark.parametrize("name", ["log-out", "user_deactivated", "end_of_life"])
def test_a_socket_that_outlives_its_credential_is_found(monkeypatch, name):
    outcome, _ = endings(a_stage(lambda _: None, **ASGI), monkeypatch, **{name: 60.0})
    assert (outcome.verdict, "after 60.0 s" in outcome.seen) == (Verdict.FAIL, True), outcome


@pytest.mark.parametrize("name", ["log-out", "end_of_life"])
def test_a_socket_that_is_never_opened_is_found(monkeypatch, name):
    outcome, _ = endings(a_stage(lambda _: None, **ASGI), monkeypatch, **{name: "refused"})
    assert outcome == failed("the handshake failed", "WebSocketException: no")


def test_where_no_sockets_are_nobody_waits_for_their_end():
    asked = sockets.served(sockets.ended_credentials)(a_stage(lambda _: None))
    assert asked.verdict is Verdict.NA
