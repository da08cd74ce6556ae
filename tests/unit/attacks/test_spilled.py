"""What of an address gets into a log: the row against logs of planted flaws."""

from types import SimpleNamespace

import httpx2
import pytest

from serverlab.attacks import spilled
from serverlab.attacks.stage import Outcome, failed, not_applicable, passed
from serverlab.compose import SERVICE_LABEL
from serverlab.model.definitions import Interface, Target
from serverlab.model.security import Verdict
from tests.unit.attacks.sites import a_stage

ACCESS = "header.claims.signature"
TICKET = "a-ticket"
ASKED = '10.0.0.1 "GET /ws/feed/?*** HTTP/1.1" 403 9 403'
GAVE_TICKET = '10.0.0.1 "POST /api/realtime/ticket/ HTTP/1.1" 201 40 201'


def answer(request):
    if request.url.path.endswith("/login/"):
        return httpx2.Response(200, json={"access": ACCESS, "refresh": "a-refresh-token"})
    return httpx2.Response(201, json={"ticket": TICKET})


@pytest.fixture
def found(monkeypatch):
    """What the row finds where handshakes get a status and the containers of services have logged lines."""

    def find(logs, *, target="gunicorn:asgi", status=403, realtime=False):
        monkeypatch.setattr(spilled, "handshake", lambda _stage, query: status)
        stage = a_stage(answer, interface=Interface.ASGI, realtime=realtime)
        stage.settings.target = Target.parse(target)
        stage.engine.containers = lambda: [
            SimpleNamespace(
                name=service,
                labels={SERVICE_LABEL: service},
                logs=lambda since, lines=lines: "\n".join(lines).encode(),
            )
            for service, lines in logs.items()
        ]
        return spilled.in_addresses(stage, patience_s=0.0)

    return find


def test_a_log_of_the_requests_without_what_was_in_their_addresses_passes(found):
    logs = {"app": [GAVE_TICKET], "edge": [ASKED] * 3}
    behind = found(logs, target="gunicorn:asgi+nginx")
    assert behind == passed("403; logged by edge, app without token and ticket")
    assert found({"app": [GAVE_TICKET, *[ASKED] * 3]}) == passed(
        "403; logged by app without token and ticket"
    )


def test_with_daphne_beside_the_server_edge_and_app_have_logged_and_daphne_is_looked_at(found):
    logs = {"app": [GAVE_TICKET], "edge": [GAVE_TICKET, *[ASKED] * 3], "realtime": []}
    split = {"target": "gunicorn:gthread+nginx", "realtime": True}
    assert found(logs, **split) == passed("403; logged by edge, app without token and ticket")
    logs["realtime"] = [f"WSREJECT /ws/feed/?ticket={TICKET}"]
    assert found(logs, **split) == failed(
        "the ticket in the log of realtime", "expected the address without it"
    )


def test_the_token_in_any_log_fails(found):
    leaking = [GAVE_TICKET, f'"GET /ws/feed/?token={ACCESS} HTTP/1.1" 403']
    assert found({"app": leaking}).seen == "the access token in the log of app"
    assert found({"app": [GAVE_TICKET], "cache": [ACCESS]}).seen == "the access token in the log of cache"


@pytest.mark.parametrize(
    ("edge", "app", "lacking"),
    [
        ([], [GAVE_TICKET], "edge"),
        ([ASKED] * 2, [GAVE_TICKET], "edge"),
        ([ASKED.replace("403", "101")] * 3, [GAVE_TICKET], "edge"),
        ([ASKED] * 3, [], "app"),
        ([ASKED] * 3, [GAVE_TICKET.replace("201", "401")], "app"),
        ([], [], "edge, app"),
    ],
)
def test_a_log_without_the_requests_shows_nothing(found, edge, app, lacking):
    wanted = Outcome(Verdict.UNKNOWN, "not logged", f"the log of {lacking} lacks the requests")
    assert found({"app": app, "edge": edge}, target="gunicorn:asgi+nginx") == wanted


def test_a_handshake_that_succeeds_fails(found):
    assert found({"app": [GAVE_TICKET, ASKED]}, status=101).verdict is Verdict.FAIL


def test_a_server_that_logs_no_handshakes_is_asked_behind_an_edge_only(found):
    reason = "its server logs no handshakes, and no edge is in front of it"
    assert found({"app": []}, target="daphne:production") == not_applicable(reason)
    assert found({"app": [GAVE_TICKET]}) == not_applicable(reason)
    behind = found({"app": [], "edge": [ASKED] * 3}, target="daphne:production+nginx")
    assert behind == passed("403; logged by edge without token and ticket")
