"""Take one replica out of the edge while it serves, or have all of them asked again: the edge's part in a deploy.

    drain.py out REPLICA   send it nothing more; over when all that nginx had begun before is answered
    drain.py in            send to every address that the app's name has now, as nginx did when it was started

Standard library only. It is run beside nginx, in the edge's container, where names of containers are known:

    docker compose exec edge python3 /lab/drain.py out serverlab-app-1

REPLICA is a name or an address. One replica is out at a time, and the last one stays in. The configuration is changed
in one place, the upstream `app`, and only if nginx finds it right; with the container it goes back to what it was.

`out` gives the workers of before ten seconds more than LAB_TIMEOUT, which is more than nginx waits for the app; a
WebSocket may last longer. The exit code is 0 when it is done; 1 when nginx was told and it is not over in time (the
same words go on waiting); 2 when nothing was changed, for the reason that is printed.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

STATE = Path("/tmp/nginx")  # noqa: S108 - the container's own tmpfs
PROC = Path("/proc")
NGINX = "/usr/sbin/nginx"
RELOADED_WITHIN_S = 10.0
BEYOND_TIMEOUT_S = 10.0
PAUSE_S = 0.05
BY_NAME = re.compile(
    r"(?P<head>upstream app \{\n)(?P<indent> +)(?P<server>server (?P<name>[\w.-]+):(?P<port>\d+)(?P<rest>[^;\n]*);)\n"
)
"""Every address that the name has."""
ONE_OUT = re.compile(
    r"(?P<head>upstream app \{\n)(?P<indent> +)# out: (?P<out>\S+) of (?P<server>server [^;\n]+;)\n"
    r"(?: +server [^;\n]+;\n)+"
)
"""Every address that the name had but for one, as `without` writes it."""


class Refused(Exception):
    """Nothing was changed, and why."""


class Late(Exception):
    """nginx was told, and what it was told is not over."""


def addresses(name: str) -> list[str]:
    """The addresses of a host, in order; an address is its own.

    Raises:
        Refused: nobody knows the name.
    """
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as unknown:
        raise Refused(f"{name}: {unknown.strerror}") from None
    return sorted({str(each[4][0]) for each in found})


def without(text: str, replica: list[str]) -> str:
    """The configuration with all addresses of the upstream but these.

    Raises:
        Refused: another replica is out, this is none of the upstream, or it is the only one.
    """
    if already := ONE_OUT.search(text):
        raise Refused(f"{already['out']} is out; `in` first, one replica is out at a time")
    upstream = BY_NAME.search(text)
    if upstream is None:
        raise Refused("upstream app has no server with a name and a port: this is not what start.py wrote")
    known = addresses(upstream["name"])
    if not set(replica) & set(known):
        raise Refused(f"{', '.join(replica)}: not of {upstream['name']}, which is {', '.join(known)}")
    others = [each for each in known if each not in replica]
    if not others:
        raise Refused(f"{', '.join(replica)} is the only one: nobody would be left to take its requests")
    indent, port, rest = upstream["indent"], upstream["port"], upstream["rest"]
    lines = [f"{indent}# out: {','.join(replica)} of {upstream['server']}\n"]
    lines += [f"{indent}server {_in_brackets(each)}:{port}{rest};\n" for each in others]
    return BY_NAME.sub(lambda found: found["head"] + "".join(lines), text, count=1)


def with_all(text: str) -> str:
    """The configuration with the upstream's name again, whoever was out."""
    return ONE_OUT.sub(r"\g<head>\g<indent>\g<server>\n", text, count=1)


def _in_brackets(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def workers() -> dict[int, bool]:
    """The ids of nginx's worker processes, and whether each takes connections: False for those on their way out."""
    found = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if title.startswith(b"nginx: worker process"):
            found[int(folder.name)] = b"shutting down" not in title
    return found


def taking() -> set[int]:
    """The ids of the workers that take connections."""
    return {each for each, takes in workers().items() if takes}


def reload(text: str) -> None:
    """Put the configuration into place and return once only workers that have read it take connections.

    Raises:
        Refused: nginx finds it wrong; its own words say why.
        Late: that does not come within RELOADED_WITHIN_S.
    """
    master, new = int((STATE / "nginx.pid").read_text(encoding="ascii")), STATE / "nginx.conf.new"
    new.write_text(text, encoding="utf-8")
    found = subprocess.run(
        [NGINX, "-e", "/dev/stderr", "-q", "-t", "-c", str(new)], capture_output=True, text=True, check=False
    )
    if found.returncode:
        new.unlink()
        raise Refused(f"nginx refuses the configuration:\n{found.stderr.strip()}")
    before = taking()
    new.replace(STATE / "nginx.conf")
    os.kill(master, signal.SIGHUP)

    def is_over() -> bool:
        now = taking()
        return not now & before and len(now) >= len(before)

    await_that("nginx has no other workers; its log says why", is_over, within_s=RELOADED_WITHIN_S)


def await_that(otherwise: str, holds: Callable[[], bool], *, within_s: float) -> None:
    """Return as soon as it holds.

    Raises:
        Late: it does not within the time; ``otherwise`` says what is the case instead.
    """
    give_up = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > give_up:
            raise Late(f"after {within_s:g} s {otherwise}")
        time.sleep(PAUSE_S)


def take_out(replica: str) -> str:
    """Send nothing more to the replica, and say so when all that nginx had begun before is answered."""
    text = (STATE / "nginx.conf").read_text(encoding="utf-8")
    away = addresses(replica)
    found = ONE_OUT.search(text)
    if found is None or found["out"] != ",".join(away):
        reload(without(text, away))
    await_that(
        "workers of before still answer somebody",
        lambda: all(workers().values()),
        within_s=float(os.environ.get("LAB_TIMEOUT") or 30) + BEYOND_TIMEOUT_S,
    )
    return f"{replica} ({', '.join(away)}) is out, and nothing that it was asked is open"


def take_in() -> str:
    """Send to every address that the app's name has now, and say so when that is the case."""
    reload(with_all((STATE / "nginx.conf").read_text(encoding="utf-8")))
    return "all replicas are in"


def done(words: list[str]) -> str:
    """Do what the words say, and say what came of it."""
    match words:
        case ["out", replica]:
            return take_out(replica)
        case ["in"]:
            return take_in()
    raise Refused(f"{' '.join(words) or 'nothing'}: must be `out REPLICA` or `in`")


def main(words: list[str]) -> int:
    """Do what the words say, print what came of it, and return the exit code."""
    try:
        print(done(words))
    except (Refused, OSError) as refused:
        print(f"drain: {refused}", file=sys.stderr)
        return 2
    except Late as late:
        print(f"drain: {late}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
