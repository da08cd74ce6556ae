"""deploy/nginx/start.py: from the environment to nginx's configuration."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

START = Path(__file__).resolve().parents[3] / "deploy" / "nginx" / "start.py"


@pytest.fixture(scope="module")
def start():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("nginx_start", START)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lines(configuration):
    return [line.strip() for line in configuration.splitlines()]


def test_left_alone_it_speaks_http_to_the_app_and_logs_no_requests(start):
    found = lines(start.rendered({}))
    assert "server app:8000 max_fails=0;" in found
    assert "proxy_pass http://app;" in found
    assert "proxy_read_timeout 35s;" in found
    assert "worker_processes 1;" in found
    assert "access_log off;" in found


def test_an_empty_variable_counts_as_absent(start):
    assert start.rendered(dict.fromkeys(start.DEFAULTS, "")) == start.rendered({})


def test_every_setting_arrives(start):
    given = {
        "LAB_UPSTREAM": "uwsgi",
        "LAB_UPSTREAM_ADDRESS": "10.0.0.1:9000",
        "LAB_TIMEOUT": "60",
        "LAB_ACCESS_LOG": "on",
        "LAB_EDGE_WORKERS": "2",
        "LAB_EDGE_CONNECTIONS": "512",
    }
    found = lines(start.rendered(given))
    assert "server 10.0.0.1:9000 max_fails=0;" in found
    assert "uwsgi_pass app;" in found
    assert "uwsgi_read_timeout 65s;" in found
    assert "access_log /dev/stdout asked;" in found
    assert "worker_processes 2;" in found
    assert "worker_connections 512;" in found
    assert not [line for line in found if line.startswith("proxy_pass")]


@pytest.mark.parametrize(
    ("request_line", "logged"),
    [
        ("GET /ws/feed/?token=abc HTTP/1.1", "GET /ws/feed/?*** HTTP/1.1"),
        ("GET /ws/feed/?page=2&Ticket=abc HTTP/1.1", "GET /ws/feed/?*** HTTP/1.1"),
        ("GET /api/books/?q=eyJhbGciOi.a.b HTTP/1.1", "GET /api/books/?*** HTTP/1.1"),
        ("GET /api/books/?page=2 HTTP/1.1", None),
        ("GET /api/auth/token/ HTTP/1.1", None),
        ("NONSENSE", None),
    ],
)
def test_what_may_be_a_credential_in_an_address_is_not_logged(start, request_line, logged):
    found = lines(start.rendered({}))
    begin = found.index("map $request $logged_request {")
    pattern = found[begin + 1].removeprefix('"~*').removesuffix('"').replace("(?<", "(?P<")
    assert found[begin + 2 : begin + 4] == ['"$logged_path***$logged_rest";', "default $request;"]
    match = re.search(pattern, request_line, re.IGNORECASE)
    told = match and f"{match['logged_path']}***{match['logged_rest']}"
    assert told == logged


def test_connections_to_the_app_are_kept_and_nothing_is_said_of_it(start):
    found = lines(start.rendered({}))
    begin = found.index("upstream app {")
    assert [line for line in found[begin : found.index("}", begin)] if not line.startswith("#")] == [
        "upstream app {",
        "server app:8000 max_fails=0;",
        "keepalive 64;",
        "keepalive_timeout 30s;",
    ]
    assert unasked_connection(found) == 'default "";'


@pytest.mark.parametrize("upstream", ["http", "uwsgi"])
@pytest.mark.parametrize("realtime", ["", "realtime:8000"])
def test_no_connection_is_kept_to_an_app_that_closes_them_and_it_is_told_so(start, upstream, realtime):
    given = {"LAB_UPSTREAM": upstream, "LAB_REALTIME_ADDRESS": realtime, "LAB_UPSTREAM_KEEPALIVE": "off"}
    found = lines(start.rendered(given))
    begin = found.index("upstream app {")
    assert found[begin + 1 : begin + 3] == ["server app:8000 max_fails=0;", "}"]
    assert unasked_connection(found) == 'default "close";'
    kept = lines(start.rendered(given | {"LAB_UPSTREAM_KEEPALIVE": "on"}))
    assert {line for line in found if line not in kept} == {'default "close";'}


def unasked_connection(found):
    """What the app is told of the connection by a request that asks for no upgrade."""
    begin = found.index("map $websocket $upstream_connection {")
    assert found[begin + 1] == "websocket upgrade;"
    return found[begin + 2]


@pytest.mark.parametrize("upstream", ["http", "uwsgi"])
def test_what_a_client_claims_about_itself_does_not_pass(start, upstream):
    """Each of these headers is set or emptied for both protocols."""
    found = start.rendered({"LAB_UPSTREAM": upstream})
    for header in (
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "Forwarded",
        "Daphne-Root-Path",
    ):
        wsgi = "HTTP_" + header.upper().replace("-", "_")
        assert f"proxy_set_header {header} " in found or f"uwsgi_param {wsgi} " in found
    assert "$proxy_add_x_forwarded_for" not in found


def test_signing_in_is_limited_unless_that_is_switched_off(start):
    limited = lines(start.rendered({}))
    assert "limit_req zone=login burst=30 nodelay;" in limited
    assert '"~^/api/auth/(session|jwt|plain)/login/?$" $binary_remote_addr;' in limited
    assert not [line for line in lines(start.rendered({"LAB_LOGIN_LIMITS": "off"})) if "limit_req" in line]


@pytest.mark.parametrize(
    ("given", "inside"),
    [
        ({}, []),
        ({"LAB_UPSTREAM": "uwsgi"}, ["return 404;"]),
        ({"LAB_REALTIME_ADDRESS": "realtime:8000"}, ["proxy_pass http://realtime;"]),
        (
            {"LAB_UPSTREAM": "uwsgi", "LAB_REALTIME_ADDRESS": "realtime:8000"},
            ["proxy_pass http://realtime;", "proxy_set_header Upgrade $websocket;"],
        ),
    ],
)
def test_websockets_go_to_who_speaks_them(start, given, inside):
    """To the app as all else, or beside it; over the uwsgi protocol there is no way at all."""
    found = lines(start.rendered(given))
    assert ("location /ws/ {" in found) is bool(inside)
    if inside:
        block = found[found.index("location /ws/ {") :]
        assert set(inside) <= set(block[: block.index("}")])
    assert ("server realtime:8000 max_fails=0;" in found) is ("LAB_REALTIME_ADDRESS" in given)


def test_the_curve_that_outlasts_quantum_computers_is_offered_where_openssl_has_it(start):
    assert "ssl_ecdh_curve X25519MLKEM768:X25519:prime256v1:secp384r1;" in lines(
        start.rendered({}, openssl=(3, 5, 0, 0, 0))
    )
    assert "ssl_ecdh_curve X25519:prime256v1:secp384r1;" in lines(
        start.rendered({}, openssl=(3, 0, 17, 0, 0))
    )


def test_a_header_is_added_where_the_app_gave_none(start):
    """The app's own, if any, stands: two of the same name would contradict each other."""
    found = lines(start.rendered({}))
    for name, value in start.HEADERS.items():
        variable = name.lower().replace("-", "_")
        begin = found.index(f'map "$upstream_http_{variable}" $edge_{variable} {{')
        assert found[begin + 1 : begin + 5] == [
            f'"" "{value}";',
            'default "";',
            "}",
            f"add_header {name} $edge_{variable} always;",
        ]
    assert f'"https:" "{start.HSTS}";' in found


def test_no_add_header_stands_where_it_would_take_the_others_away(start):
    """Nginx inherits them only where a level has none of its own: all are on the level of http."""
    for upstream in ("http", "uwsgi"):
        found = start.rendered({"LAB_UPSTREAM": upstream})
        assert all(line.startswith("    add") for line in found.splitlines() if "add_header" in line)


def test_every_error_of_the_edge_is_json(start):
    found = lines(start.rendered({}))
    for status, detail in start.ERRORS.items():
        begin = found.index(f"error_page {status} /edge/{status};")
        assert found[begin + 1 : begin + 5] == [
            f"location = /edge/{status} {{",
            "internal;",
            "default_type application/json;",
            f'return {status} \'{{"detail": "{detail}"}}\';',
        ]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LAB_UPSTREAM", "fastcgi", "LAB_UPSTREAM=fastcgi: must be one of http, uwsgi"),
        ("LAB_UPSTREAM_KEEPALIVE", "64", "LAB_UPSTREAM_KEEPALIVE=64: must be one of on, off"),
        ("LAB_TIMEOUT", "0", "LAB_TIMEOUT=0: must be a whole number of at least 1"),
        ("LAB_LOGIN_LIMITS", "yes", "LAB_LOGIN_LIMITS=yes: must be one of on, off"),
        ("LAB_EDGE_WORKERS", "auto", "LAB_EDGE_WORKERS=auto: must be a whole number of at least 1"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_one_sentence_and_with_code_2(name, value, words):
    done = subprocess.run(
        [sys.executable, START, "render"], env={name: value}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"edge: {words}\n")


def test_an_unknown_word_is_refused():
    done = subprocess.run(
        [sys.executable, START, "stop"], env={}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, "edge: stop: must be render, check or nothing\n")
