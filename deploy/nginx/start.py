"""Write nginx's configuration and become nginx; or only show or check what would be written.

    start.py            make a certificate, check the configuration, become nginx
    start.py render     print the configuration
    start.py check      as without a word, but stop before nginx is started

Standard library only; `render` also runs outside of the container. Settings come from the environment:

    LAB_UPSTREAM           http (default) or uwsgi: what the app speaks
    LAB_UPSTREAM_ADDRESS   app:8000; every address that the name has when nginx starts gets its share
    LAB_TIMEOUT            30 (seconds): the app's limit; the edge waits five seconds longer
    LAB_ACCESS_LOG         off (default) or on
    LAB_EDGE_WORKERS       1
"""

import os
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
    "LAB_TIMEOUT": "30",
    "LAB_ACCESS_LOG": "off",
    "LAB_EDGE_WORKERS": "1",
}
UPSTREAMS = ("http", "uwsgi")
PATIENCE_S = 5
NAMES = "subjectAltName=DNS:localhost,DNS:edge,IP:127.0.0.1"


class Template(string.Template):
    """Text with @{NAME}, because $NAME is nginx's own."""

    delimiter = "@"


class EdgeError(Exception):
    """Why the edge cannot be started, in words for who started it."""


def rendered(given: Mapping[str, str]) -> str:
    """Return nginx's whole configuration for these settings; an empty variable counts as absent.

    Raises:
        EdgeError: a setting has a value that it cannot have.
    """
    settings = DEFAULTS | {name: value for name, value in given.items() if name in DEFAULTS and value}
    if settings["LAB_UPSTREAM"] not in UPSTREAMS:
        raise EdgeError(f"LAB_UPSTREAM={settings['LAB_UPSTREAM']}: must be one of {', '.join(UPSTREAMS)}")
    for name in ("LAB_TIMEOUT", "LAB_EDGE_WORKERS"):
        if not settings[name].isdecimal() or not int(settings[name]):
            raise EdgeError(f"{name}={settings[name]}: must be a whole number of at least 1")
    read_timeout_s = int(settings["LAB_TIMEOUT"]) + PATIENCE_S
    logged = settings["LAB_ACCESS_LOG"] == "on"
    return _template("nginx.conf.in").substitute(
        WORKERS=settings["LAB_EDGE_WORKERS"],
        ADDRESS=settings["LAB_UPSTREAM_ADDRESS"],
        ACCESS_LOG="/dev/stdout" if logged else "off",
        STATE=str(STATE),
        KEY=str(KEY),
        CERTIFICATE=str(CERTIFICATE),
        PASS=_template(f"pass-{settings['LAB_UPSTREAM']}.conf.in").substitute(
            READ_TIMEOUT=f"{read_timeout_s}s"
        ),
    )


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
