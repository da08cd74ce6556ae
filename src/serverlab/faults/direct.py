"""The front door of a stack at its container's own address, where what is accepted is accepted by the server itself.

At the port on this machine it is the engine's own proxy that accepts, also for a server that is deaf.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Iterable, Sequence

from serverlab.compose import Container
from serverlab.faults.fault import NotEffective, Scene
from serverlab.faults.processes import run

PORTS = {"app": 8000, "edge": 8080}
CONNECT_S = 2.0

TAKEN = """
import sys
port, asked, taken = int(sys.argv[1]), set(map(int, sys.argv[2:])), 0
for name in ("tcp", "tcp6"):
    with open("/proc/net/" + name) as table:
        for fields in map(str.split, table.read().splitlines()[1:]):
            local, remote = (int(each.rpartition(":")[2], 16) for each in fields[1:3])
            unread = int(fields[4].partition(":")[2], 16)
            if fields[3] == "01" and local == port and remote in asked and int(fields[9]) and not unread:
                taken += 1
print(taken)
"""
"""How many established connections to a port, from these, a process has accepted (until then they have no inode) and
read all of that was sent."""


def front_of(scene: Scene) -> Container:
    """The container that clients talk to."""
    return scene.engine.service(_service(scene))


def address_of(scene: Scene) -> tuple[str, int]:
    """Where that container listens on the lab's own network.

    Raises:
        NotEffective: it has no address that can be had from here.
    """
    container = front_of(scene)
    container.reload()
    networks = container.attrs["NetworkSettings"].get("Networks") or {}
    found = [str(each["IPAddress"]) for each in networks.values() if each.get("IPAddress")]
    if not found:
        raise NotEffective(f"{container.name} has no address on the lab's network")
    address = found[0], PORTS[_service(scene)]
    try:
        socket.create_connection(address, timeout=CONNECT_S).close()
    except OSError as broken:
        raise NotEffective(
            f"{container.name} cannot be reached at its own address from here: {broken}"
        ) from None
    return address


def url_of(scene: Scene) -> str:
    """The same as a URL."""
    host, port = address_of(scene)
    return f"http://{host}:{port}"


def taken_of(scene: Scene, ports: Iterable[int]) -> int:
    """How many of the connections from these ports of ours the server has accepted and read."""
    return int(run(front_of(scene), TAKEN, str(PORTS[_service(scene)]), *map(str, ports)))


def connect_all(address: tuple[str, int], count: int) -> list[socket.socket]:
    """Begin so many connections at once, and wait for none of them."""
    begun = []
    for _ in range(count):
        each = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        begun.append(each)
        each.setblocking(False)  # noqa: FBT003 - the call has no name for it
        if (code := each.connect_ex(address)) not in (0, errno.EINPROGRESS):
            close_all(begun)
            raise NotEffective(f"a connection could not be begun: {errno.errorcode.get(code, code)}")
    return begun


def established(connections: Sequence[socket.socket]) -> int:
    """How many of the connections are there."""
    if not connections:
        return 0
    poll = select.poll()
    for each in connections:
        poll.register(each, select.POLLOUT)
    ready = {
        handle for handle, event in poll.poll(0) if event & select.POLLOUT and not event & select.POLLERR
    }
    return sum(each.fileno() in ready for each in connections)


def is_open(connection: socket.socket) -> bool:
    """Whether the other side has neither closed nor reset the connection; what it said before that is thrown away."""
    connection.settimeout(0)
    try:
        while connection.recv(4096):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def close_all(connections: Iterable[socket.socket]) -> None:
    """Close them."""
    for each in connections:
        each.close()


def answered_by(connections: Sequence[socket.socket], *, within_s: float) -> list[socket.socket]:
    """Those on which something has come in time; it is taken in, so that they are idle."""
    give_up, waiting, found = time.monotonic() + within_s, list(connections), []
    while waiting and (left_s := give_up - time.monotonic()) > 0:
        ready, _, _ = select.select(waiting, [], [], left_s)
        for each in ready:
            waiting.remove(each)
            if _said(each):
                found.append(each)
    return found


def _said(connection: socket.socket) -> bytes:
    """What has come on the connection; nothing where it was closed or reset."""
    try:
        return connection.recv(1 << 16)
    except OSError:
        return b""


def _service(scene: Scene) -> str:
    return "edge" if scene.target.edge else "app"
