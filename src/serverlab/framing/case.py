"""What a case is: requests written byte by byte, and what is right to do with them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from serverlab.framing.replies import Reply
from serverlab.model.framing import Kind, Logged

ECHO = "/lab/echo"
CRLF = b"\r\n"


@dataclass(frozen=True)
class Draft:
    """What the bytes of a form are written with.

    ``host`` is what an honest Host header says, ``token`` what all markers of the form begin with, ``access`` an access
    token for views that want one.
    """

    host: str
    token: str
    access: str = ""

    def marker(self, role: str) -> str:
        """What the app keeps of a request of that role."""
        return f"{self.token}-{role}"

    def address(self, role: str = "first", path: str = ECHO) -> str:
        """A request target that carries the marker of a role; the app logs it, and answers it below /lab/echo."""
        return f"{path}{'&' if '?' in path else '?'}marker={self.marker(role)}"

    def request(
        self,
        *lines: str,
        method: str = "GET",
        role: str = "first",
        target: str | None = None,
        version: str = " HTTP/1.1",
        host: bool = True,
        body: bytes = b"",
    ) -> bytes:
        """A request with an honest Host (unless not ``host``), then these header lines and the body as they are.

        A ``target`` of its own has no marker; a header then carries it.
        """
        marked = [f"X-Lab-Marker: {self.marker(role)}"] if target is not None else []
        first = f"{method} {self.address(role) if target is None else target}{version}"
        head = [first, *([f"Host: {self.host}"] if host else []), *marked, *lines, "", ""]
        return "\r\n".join(head).encode("latin-1") + body

    def post(self, *lines: str, body: bytes = b"", **options: Any) -> bytes:  # noqa: ANN401
        """A POST with these header lines and this body; nothing says how long the body is but the lines."""
        return self.request(*lines, method="POST", body=body, **options)

    @property
    def hidden(self) -> bytes:
        """A whole request that stands where no message begins."""
        return self.request(role="smug")


@dataclass(frozen=True)
class Seen:
    """All that is known of one form on one target, for a rule to judge."""

    kind: Kind
    replies: tuple[Reply, ...]
    closed: bool
    logged: tuple[Logged, ...]
    behind_edge: bool = False
    measured: Mapping[str, float] = field(default_factory=dict)

    @property
    def first(self) -> Reply:
        """The first answer; one with status 0 if there is none."""
        return self.replies[0] if self.replies else Reply(0, {}, b"")

    @property
    def echo(self) -> dict[str, Any]:
        """What the app says that it understood, as far as it came to answer."""
        return self.first.document

    @property
    def headers(self) -> dict[str, str]:
        """The header fields that the app got, names in lower case."""
        found = self.echo.get("headers")
        return {name.lower(): str(value) for name, value in found.items()} if isinstance(found, dict) else {}

    @property
    def broke(self) -> str:
        """The error that the app got in the place of a body, "" if none."""
        return str(self.echo.get("body_broke") or "")

    def of(self, role: str) -> Logged | None:
        """What the app logged of one of the messages."""
        return next((each for each in self.logged if each.role == role), None)


Rule = Callable[[Seen], str]
"""Says what was other than right; "" if nothing was."""


@dataclass(frozen=True)
class Form:
    """One way of putting a case.

    ``build`` writes all that is sent before the innocent request that follows on the same connection unless ``tail`` is
    false; or, of what is too long to be written at once, its pieces. ``messages`` are the roles of the requests that
    stand in it as messages of their own. ``ends``: after a silence the lab closes its half of the connection.
    ``alone``: what it costs is measured, so nothing else is asked meanwhile.
    """

    name: str
    build: Callable[[Draft], bytes | Iterable[bytes]]
    right: Rule
    messages: tuple[str, ...] = ("first",)
    tail: bool = True
    ends: bool = False
    alone: bool = False


@dataclass(frozen=True)
class Case:
    """One row: ``right`` says in words what the rules of its forms say."""

    id: str
    title: str
    right: str
    forms: tuple[Form, ...]


def digest(body: bytes) -> str:
    """What the app says of a body."""
    return hashlib.sha256(body).hexdigest()


def in_chunks(*bodies: bytes) -> bytes:
    """The bodies as chunks, and the last one of no length."""
    return b"".join(b"%x\r\n%s\r\n" % (len(body), body) for body in (*bodies, b""))
