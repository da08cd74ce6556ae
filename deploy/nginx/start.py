"""Write nginx's configuration and become nginx; or only show or check what would be written.

    start.py            make a certificate, check the configuration, become nginx
    start.py render     print the configuration
    start.py check      as without a word, but stop before nginx is started

Standard library only; `render` also runs outside of the container. Settings come from the environment:

    LAB_UPSTREAM           http (default) or uwsgi: what the app speaks
    LAB_UPSTREAM_ADDRESS   app:8000; every address that the name has when nginx starts gets its share
    LAB_UPSTREAM_KEEPALIVE on (default) or off: whether connections to an app that speaks http are kept
    LAB_TIMEOUT            30 (seconds): the app's limit; the edge waits five seconds longer
    LAB_ACCESS_LOG         off (default) or on
    LAB_EDGE_WORKERS       1
    LAB_EDGE_CONNECTIONS   4096: connections of each worker, those to the app included
    LAB_LOGIN_LIMITS       on (default) or off: whether one address may sign in any number of times
    LAB_REALTIME_ADDRESS   empty: where WebSockets go if not to the app, for example realtime:8000
"""

import os
import ssl
import string
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
STATE = Path("/tmp/nginx")  # noqa: S108 - the container's own tmpfs
CONFIGURATION = STATE / "nginx.conf"
KEY = STATE / "edge.key"
CERTIFICATE = STATE / "edge.crt"
DEFAULTS = {
    "LAB_UPSTREAM": "http",
    "LAB_UPSTREAM_ADDRESS": "app:8000",
    "LAB_UPSTREAM_KEEPALIVE": "on",
    "LAB_TIMEOUT": "30",
    "LAB_ACCESS_LOG": "off",
    "LAB_EDGE_WORKERS": "1",
    "LAB_EDGE_CONNECTIONS": "4096",
    "LAB_LOGIN_LIMITS": "on",
    "LAB_REALTIME_ADDRESS": "",
}
UPSTREAMS = ("http", "uwsgi")
SWITCH = ("on", "off")
PATIENCE_S = 5
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
HSTS = "max-age=63072000; includeSubDomains; preload"
ERRORS = {
    400: "Bad request.",
    403: "Forbidden.",
    404: "Not found.",
    405: "Method not allowed.",
    408: "Request time-out.",
    413: "The body is too large.",
    414: "The address is too long.",
    416: "There is no such range.",
    429: "Too many attempts to sign in.",
    500: "Internal server error.",
    501: "Not implemented.",
    502: "The app does not answer.",
    503: "The app is not available.",
    504: "The app did not answer in time.",
}
ALSO_400 = (494, 497)  # nginx's own: headers too large, plain HTTP where TLS is spoken
LOGIN_PATHS = "^/api/auth/(session|jwt|plain)/login/?$"
LOGIN_ZONE = f"""
    # Attempts to sign in, by address: looser than the app's own limit, which counts accounts as well and answers first.
    # Requests without a key are not counted.
    map $uri $signs_in {{
        "~{LOGIN_PATHS}" $binary_remote_addr;
        default "";
    }}
    limit_req_zone $signs_in zone=login:1m rate=60r/m;
    limit_req_status 429;
"""
LOGIN_LIMIT = "        limit_req zone=login burst=30 nodelay;\n"
KEPT = """\
        # Idle connections go before the shortest idle time-out of the servers behind (Daphne: 60 s; the others:
        # LAB_KEEPALIVE, 75 s), so that none is closed just when it is used.
        keepalive 64;
        keepalive_timeout 30s;
"""
GROUPS = "X25519:prime256v1:secp384r1"
NAMES = "subjectAltName=DNS:localhost,DNS:edge,IP:127.0.0.1"


class Template(string.Template):
    """Text with @{NAME}, because $NAME is nginx's own."""

    delimiter = "@"


class EdgeError(Exception):
    """Why the edge cannot be started, in words for who started it."""


def rendered(given: Mapping[str, str], *, openssl: tuple[int, ...] = ssl.OPENSSL_VERSION_INFO) -> str:
    """Return nginx's whole configuration for these settings; an empty variable counts as absent.

    Raises:
        EdgeError: a setting has a value that it cannot have.
    """
    settings = DEFAULTS | {name: value for name, value in given.items() if name in DEFAULTS and value}
    _refuse_unfit(settings)
    read_timeout = f"{int(settings['LAB_TIMEOUT']) + PATIENCE_S}s"
    upstream, realtime = settings["LAB_UPSTREAM"], settings["LAB_REALTIME_ADDRESS"]
    limited = settings["LAB_LOGIN_LIMITS"] == "on"
    kept = settings["LAB_UPSTREAM_KEEPALIVE"] == "on"
    return _template("nginx.conf.in").substitute(
        WORKERS=settings["LAB_EDGE_WORKERS"],
        CONNECTIONS=settings["LAB_EDGE_CONNECTIONS"],
        ADDRESS=settings["LAB_UPSTREAM_ADDRESS"],
        CONNECTION="" if kept else "close",
        KEPT=KEPT if kept else "",
        ACCESS_LOG="/dev/stdout asked" if settings["LAB_ACCESS_LOG"] == "on" else "off",
        STATE=str(STATE),
        KEY=str(KEY),
        CERTIFICATE=str(CERTIFICATE),
        GROUPS=f"X25519MLKEM768:{GROUPS}" if openssl >= (3, 5) else GROUPS,
        HEADERS=_headers(),
        ERRORS=_errors(),
        LOGIN_ZONE=LOGIN_ZONE if limited else "",
        LOGIN_LIMIT=LOGIN_LIMIT if limited else "",
        REALTIME_UPSTREAM=f"    upstream realtime {{\n        server {realtime} max_fails=0;\n    }}\n"
        if realtime
        else "",
        WS=_websockets(upstream, realtime=bool(realtime), read_timeout=read_timeout),
        PASS=_passed(upstream, to="app", read_timeout=read_timeout),
    )


def _refuse_unfit(settings: Mapping[str, str]) -> None:
    switches = dict.fromkeys(("LAB_UPSTREAM_KEEPALIVE", "LAB_ACCESS_LOG", "LAB_LOGIN_LIMITS"), SWITCH)
    known = {"LAB_UPSTREAM": UPSTREAMS, **switches}
    for name, values in known.items():
        if settings[name] not in values:
            raise EdgeError(f"{name}={settings[name]}: must be one of {', '.join(values)}")
    for name in ("LAB_TIMEOUT", "LAB_EDGE_WORKERS", "LAB_EDGE_CONNECTIONS"):
        if not settings[name].isdecimal() or not int(settings[name]):
            raise EdgeError(f"{name}={settings[name]}: must be a whole number of at least 1")


def _headers() -> str:
    """Return a map and an add_header for each header: its value where the app gave none. nginx adds no empty one."""
    given = {name: (f"$upstream_http_{_variable(name)}", "", value) for name, value in HEADERS.items()}
    given["Strict-Transport-Security"] = ("$scheme:$upstream_http_strict_transport_security", "https:", HSTS)
    return "".join(
        f'    map "{source}" $edge_{_variable(name)} {{\n        "{missing}" "{value}";\n        default "";\n    }}\n'
        f"    add_header {name} $edge_{_variable(name)} always;\n"
        for name, (source, missing, value) in given.items()
    )


def _variable(header: str) -> str:
    return header.lower().replace("-", "_")


def _errors() -> str:
    also = " ".join(map(str, ALSO_400))
    return f"        error_page {also} =400 /edge/400;\n" + "".join(
        f"        error_page {status} /edge/{status};\n"
        f"        location = /edge/{status} {{\n"
        "            internal;\n"
        "            default_type application/json;\n"
        f'            return {status} \'{{"detail": "{detail}"}}\';\n'
        "        }\n"
        for status, detail in ERRORS.items()
    )


def _websockets(upstream: str, *, realtime: bool, read_timeout: str) -> str:
    """Return the location of WebSockets, "" where the app takes them (or refuses them itself)."""
    if realtime:
        inside = _passed("http", to="realtime", read_timeout=read_timeout)
    elif upstream == "uwsgi":  # a protocol without upgrades
        inside = "            return 404;\n"
    else:
        return ""
    return f"        location /ws/ {{\n{inside}        }}\n\n"


def _passed(protocol: str, *, to: str, read_timeout: str) -> str:
    return _template(f"pass-{protocol}.conf.in").substitute(UPSTREAM=to, READ_TIMEOUT=read_timeout)


def _template(name: str) -> Template:
    return Template((HERE / name).read_text(encoding="utf-8"))


def prepare(configuration: str) -> None:
    """Write the configuration and a certificate for this one life of the container, and have nginx check them.

    Raises:
        EdgeError: openssl or nginx refuses; its own words are on stderr.
    """
    STATE.mkdir(mode=0o700, exist_ok=True)
    CONFIGURATION.write_text(configuration, encoding="utf-8")
    openssl = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-noenc",
    ]
    subject = ["-days", "30", "-subj", "/CN=serverlab", "-addext", NAMES]
    _must(*openssl, *subject, "-keyout", str(KEY), "-out", str(CERTIFICATE))
    _must(*_nginx(), "-q", "-t")


def _nginx() -> tuple[str, ...]:
    return ("/usr/sbin/nginx", "-e", "/dev/stderr", "-c", str(CONFIGURATION))


def _must(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgeError(f"{command[0]} failed with {done.returncode}:\n{done.stderr.strip()}")


def main(words: list[str]) -> None:
    """Do what the first word says; without one, become nginx."""
    word = words[0] if words else "start"
    if word not in ("start", "render", "check"):
        raise EdgeError(f"{word}: must be render, check or nothing")
    configuration = rendered(os.environ)
    if word == "render":
        sys.stdout.write(configuration)
        return
    prepare(configuration)
    if word == "start":
        os.execv(_nginx()[0], [*_nginx(), "-g", "daemon off;"])  # noqa: S606 - no shell, no child


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (EdgeError, OSError) as error:
        print(f"edge: {error}", file=sys.stderr)
        sys.exit(2)
