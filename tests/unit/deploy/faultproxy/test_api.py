"""deploy/faultproxy: toxiproxy's routes, asked over HTTP."""

import http.client
import json

import pytest
from faultproxy.proxies import Conflict, address_of

from tests.fault_proxy import live

QUIET = {
    "accepted": 0,
    "failed": 0,
    "open": 0,
    "upstream_bytes": 0,
    "downstream_bytes": 0,
    "touched": 0,
    "unheard": 0,
}
LATENCY = {
    "name": "latency_downstream",
    "type": "latency",
    "stream": "downstream",
    "toxicity": 1.0,
    "attributes": {"latency": 200, "jitter": 0},
}


def proxy_as_json(*, listen="127.0.0.1:1", enabled=False, toxics=()):
    return {
        "name": "db",
        "listen": listen,
        "upstream": "127.0.0.1:2",
        "enabled": enabled,
        "toxics": list(toxics),
        "traffic": QUIET,
    }


@pytest.fixture
def ask():
    """A function that asks the API of a proxy ``db`` that does not listen yet."""
    with live() as found:
        made = found.proxies.make("db", listen="127.0.0.1:1", upstream="127.0.0.1:2", enabled=False)
        found.do(made)

        def asked(method, path, told=None, headers=None):
            connection = http.client.HTTPConnection("127.0.0.1", found.port, timeout=5)
            connection.request(method, path, None if told is None else json.dumps(told), headers or {})
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer.status, json.loads(body) if body else None

        yield asked


def test_proxies_are_listed_and_told(ask):
    assert ask("GET", "/proxies") == (200, {"db": proxy_as_json()})
    assert ask("GET", "/proxies/db") == (200, proxy_as_json())


def test_a_toxic_is_added_listed_changed_and_removed(ask):
    told = {"type": "latency", "attributes": {"latency": 200}}
    changed = LATENCY | {"attributes": {"latency": 200, "jitter": 5}}
    assert ask("POST", "/proxies/db/toxics", told) == (200, LATENCY)
    assert ask("GET", "/proxies/db/toxics") == (200, [LATENCY])
    assert ask("GET", "/proxies/db/toxics/latency_downstream") == (200, LATENCY)
    assert ask("POST", "/proxies/db/toxics/latency_downstream", {"attributes": {"jitter": 5}}) == (
        200,
        changed,
    )
    assert ask("GET", "/proxies/db") == (200, proxy_as_json(toxics=[changed]))
    assert ask("DELETE", "/proxies/db/toxics/latency_downstream") == (204, None)
    assert ask("GET", "/proxies/db/toxics") == (200, [])


def test_a_proxy_is_made_switched_off_and_on_and_dropped(ask):
    told = {"name": "web", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:3"}
    status, made = ask("POST", "/proxies", told)
    assert (status, made["enabled"], made["listen"] != "127.0.0.1:0") == (201, True, True)
    assert ask("POST", "/proxies/web", {"enabled": False}) == (200, made | {"enabled": False})
    assert ask("POST", "/proxies/web", {"enabled": True}) == (200, made)
    assert ask("DELETE", "/proxies/web") == (204, None)
    assert ask("GET", "/proxies") == (200, {"db": proxy_as_json()})


def test_reset_removes_every_toxic_and_enables_every_proxy(ask):
    ask("POST", "/proxies", {"name": "web", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:3"})
    ask("DELETE", "/proxies/db")
    ask("POST", "/proxies/web/toxics", {"type": "timeout"})
    ask("POST", "/proxies/web", {"enabled": False})
    assert ask("POST", "/reset") == (204, None)
    _, found = ask("GET", "/proxies/web")
    assert (found["enabled"], found["toxics"]) == (True, [])


@pytest.mark.parametrize(
    ("asked", "told", "status", "said"),
    [
        ("GET /proxies/web", None, 404, "there is no proxy 'web'; there are: db"),
        ("GET /elsewhere", None, 404, "there is no /elsewhere"),
        ("DELETE /proxies/db/toxics/gone", None, 404, "proxy db has no toxic 'gone'"),
        ("GET /proxies/db/toxics/gone", None, 404, "proxy db has no toxic 'gone'"),
        ("POST /proxies/db/toxics/gone", {}, 404, "proxy db has no toxic 'gone'"),
        ("POST /proxies", {"name": "db"}, 400, "a proxy needs listen, upstream"),
        (
            "POST /proxies",
            {"name": "db", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:2"},
            409,
            "there is a proxy 'db' already",
        ),
        (
            "POST /proxies",
            {"name": "new", "listen": "here", "upstream": "127.0.0.1:2"},
            409,
            "'here' is not HOST:PORT",
        ),
        (
            "POST /proxies/db/toxics",
            {"type": "bandwidth", "attributes": {"speed": 1}},
            400,
            "attribute speed: there are rate",
        ),
        ("POST /proxies/db/toxics", [], 400, "not an object"),
        ("PATCH /proxies/db/toxics", {}, 405, "PATCH is not for toxics"),
    ],
)
def test_mistakes_are_told(ask, asked, told, status, said):
    assert ask(*asked.split(), told) == (status, {"error": said, "status": status})


def test_a_toxic_of_the_same_name_is_refused(ask):
    ask("POST", "/proxies/db/toxics", {"type": "timeout"})
    said = {"error": "proxy db has a toxic 'timeout_downstream' already", "status": 409}
    assert ask("POST", "/proxies/db/toxics", {"type": "timeout"}) == (409, said)


def test_pages_in_a_browser_give_no_orders(ask):
    said = {"error": "not for browsers", "status": 403}
    assert ask("POST", "/reset", {}, {"Origin": "http://127.0.0.1:8000"}) == (403, said)


def test_an_address_is_a_host_and_a_port():
    assert address_of("db:5432") == ("db", 5432)
    with pytest.raises(Conflict, match="'db' is not HOST:PORT"):
        address_of("db")
