"""What can be done to the bytes that flow one way through a connection: one class for each type of toxic."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

STREAMS = ("upstream", "downstream")
MILLISECONDS = 1000.0
BURST_S = 0.1
"""Bytes of a limited bandwidth are let through as often as this."""


class ToxicError(Exception):
    """Why a toxic cannot be had, in words for who asked."""


@dataclass(frozen=True)
class Piece:
    """Bytes, and when they were read (seconds of the loop's clock); no bytes: the sender has ended its half."""

    data: bytes
    read_at_s: float


class Dose(Protocol):
    """A toxic at work on one direction of one connection, and what it remembers of it."""

    passed_bytes: int
    tail: bytes
    dropped: bool

    def now_s(self) -> float:
        """The loop's clock."""

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than the toxic is there."""

    def end(self, *, reset: bool = False) -> None:
        """End the whole connection, by a reset if that is wanted."""


@dataclass(frozen=True)
class Kind:
    """A type of toxic; its fields are its attributes, as JSON names them. Times are milliseconds."""

    ends_after_s: ClassVar[float | None] = None
    ends_by_reset: ClassVar[bool] = False

    def harms(self, piece: Piece, dose: Dose) -> bool:  # noqa: ARG002
        """Whether the piece will not pass as it is: it is delayed, cut, dropped, or ends the connection."""
        return False

    async def passed(self, piece: Piece, dose: Dose) -> AsyncIterator[Piece]:  # noqa: ARG002
        """Give what becomes of a piece, when it does."""
        yield piece


@dataclass(frozen=True)
class Latency(Kind):
    """Everything arrives ``latency`` later, give or take ``jitter``; the order stays."""

    latency: int = 0
    jitter: int = 0

    def harms(self, piece: Piece, dose: Dose) -> bool:  # noqa: ARG002
        """Everything is late."""
        return self.latency + self.jitter > 0

    async def passed(self, piece: Piece, dose: Dose) -> AsyncIterator[Piece]:
        """Give the piece when its time has come, counted from when it was read."""
        delay_ms = self.latency + random.uniform(-self.jitter, self.jitter)  # noqa: S311 - no secret
        await dose.pause(piece.read_at_s + delay_ms / MILLISECONDS - dose.now_s())
        yield piece


@dataclass(frozen=True)
class Bandwidth(Kind):
    """No more than ``rate`` KB (1,000 bytes) per second."""

    rate: int = 0

    def harms(self, piece: Piece, dose: Dose) -> bool:  # noqa: ARG002
        """All bytes are."""
        return bool(piece.data)

    async def passed(self, piece: Piece, dose: Dose) -> AsyncIterator[Piece]:
        """Give the piece in portions, each after the time that it takes."""
        per_s = self.rate * 1000
        portion = max(1, int(per_s * BURST_S))
        for part in parts(piece, [portion] * (len(piece.data) // portion + 1)):
            await dose.pause(len(part.data) / per_s if per_s else float("inf"))
            yield part


@dataclass(frozen=True)
class SlowClose(Kind):
    """The end of a half is handed on ``delay`` later."""

    delay: int = 0

    def harms(self, piece: Piece, dose: Dose) -> bool:  # noqa: ARG002
        """Only the end is."""
        return not piece.data

    async def passed(self, piece: Piece, dose: Dose) -> AsyncIterator[Piece]:
        """Give bytes at once and the end late."""
        if not piece.data:
            await dose.pause(self.delay / MILLISECONDS)
        yield piece


@dataclass(frozen=True)
class Timeout(Kind):
    """Nothing gets through, and after ``timeout`` the connection is closed; 0: only when the toxic is removed."""

    timeout: int = 0

    @property
    def ends_after_s(self) -> float | None:  # type: ignore[override]
        """When it closes the connection, counted from when they met."""
        return self.timeout / MILLISECONDS if self.timeout else None

    def harms(self, piece: Piece, dose: Dose) -> bool:  # noqa: ARG002
        """All bytes are."""
        return bool(piece.data)

    async def passed(self, piece: Piece, dose: Dose) -> AsyncIterator[Piece]:
        """Give nothing but the end."""
        if piece.data:
            dose.dropped = True
        else:
            yield piece


@dataclass(frozen=True)
class ResetPeer(Kind):
    """After ``timeout`` (0: at once) the connection is reset, whatever it was doing."""

    timeout: int = 0
    ends_by_reset: ClassVar[bool] = True

    @property
    def ends_after_s(self) -> float:  # type: ignore[override]
        """When it resets the connection, counted from when they met."""
        return self.timeout / MILLISECONDS


@dataclass(frozen=True)
class Slicer(Kind):
    """Bytes go in slices of ``average_size``, give or take ``size_variation``, ``delay`` microseconds apart."""

    average_size: int = 1
    size_variation: int = 0
    delay: int = 0

    def harms(self, piece: Piece, dose: Dose) -> bool:  # noqa: ARG002
        """What is longer than any slice is."""
        return len(piece.data) > self.average_size + self.size_variation

    async def passed(self, piece: Piece, dose: Dose) -> AsyncIterator[Piece]:
        """Give the slices."""
        for part in parts(piece, self._sizes(len(piece.data))):
            yield part
            await dose.pause(self.delay / 1e6)

    def _sizes(self, length: int) -> list[int]:
        sizes: list[int] = []
        while length > 0:
            spread = random.randint(-self.size_variation, self.size_variation)  # noqa: S311 - no secret
            sizes.append(max(1, self.average_size + spread))
            length -= sizes[-1]
        return sizes


@dataclass(frozen=True)
class LimitData(Kind):
    """After ``bytes`` the connection is closed."""

    bytes: int = 0

    def harms(self, piece: Piece, dose: Dose) -> bool:
        """Only what reaches the limit is."""
        return bool(piece.data) and dose.passed_bytes + len(piece.data) >= self.bytes

    async def passed(self, piece: Piece, dose: Dose) -> AsyncIterator[Piece]:
        """Give what is within the limit."""
        left = self.bytes - dose.passed_bytes
        dose.passed_bytes += len(piece.data)
        if left > 0 or not piece.data:
            yield Piece(piece.data[: max(left, 0)], piece.read_at_s)
        if dose.passed_bytes >= self.bytes:
            dose.end()


@dataclass(frozen=True)
class CutAt(Kind):
    """The connection is reset when the bytes ``hex`` have been seen; what they came with is not handed on.

    This is ours: PostgreSQL's word that a transaction is committed is a sequence of bytes that nothing else is.
    """

    hex: str = ""

    def harms(self, piece: Piece, dose: Dose) -> bool:
        """Only the bytes are."""
        wanted = bytes.fromhex(self.hex)
        return bool(wanted) and wanted in dose.tail + piece.data

    async def passed(self, piece: Piece, dose: Dose) -> AsyncIterator[Piece]:
        """Give the piece unless the bytes end within it."""
        wanted = bytes.fromhex(self.hex)
        seen = dose.tail + piece.data
        dose.tail = seen[-(len(wanted) - 1) :] if len(wanted) > 1 else b""
        if wanted and wanted in seen:
            dose.dropped = True
            dose.end(reset=True)
        else:
            yield piece


KINDS: dict[str, type[Kind]] = {
    "latency": Latency,
    "bandwidth": Bandwidth,
    "slow_close": SlowClose,
    "timeout": Timeout,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "limit_data": LimitData,
    "cut_at": CutAt,
}


@dataclass(frozen=True)
class Toxic:
    """A kind with a name, on one stream of a proxy; ``toxicity`` is the share of connections that it meets."""

    name: str
    type: str
    stream: str
    toxicity: float
    kind: Kind

    def as_json(self) -> dict[str, Any]:
        """Toxiproxy's words for it."""
        attributes = {each.name: getattr(self.kind, each.name) for each in fields(self.kind)}
        return {
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": self.toxicity,
            "attributes": attributes,
        }


def parts(piece: Piece, sizes: list[int]) -> list[Piece]:
    """The piece cut into parts of these sizes, as far as it goes; a piece without bytes stays one."""
    found: list[Piece] = []
    at = 0
    for size in sizes:
        if at < len(piece.data):
            found.append(Piece(piece.data[at : at + size], piece.read_at_s))
            at += size
    return found or [piece]


def toxic_of(told: Mapping[str, Any]) -> Toxic:
    """The toxic that a JSON object describes.

    Raises:
        ToxicError: it does not describe one; all mistakes together.
    """
    type_, stream = str(told.get("type", "")), str(told.get("stream") or "downstream")
    if type_ not in KINDS:
        raise ToxicError(f"type {type_!r}: must be one of {', '.join(KINDS)}")
    toxicity = told.get("toxicity", 1.0)
    wrong = [] if stream in STREAMS else [f"stream {stream!r}: must be one of {', '.join(STREAMS)}"]
    if isinstance(toxicity, bool) or not isinstance(toxicity, int | float) or not 0 <= toxicity <= 1:
        wrong.append(f"toxicity {toxicity!r}: must be a number from 0 to 1")
    attributes = told.get("attributes") or {}
    wrong += _mistakes(KINDS[type_], attributes)
    if wrong:
        raise ToxicError("; ".join(wrong))
    name = str(told.get("name") or f"{type_}_{stream}")
    return Toxic(name, type_, stream, float(toxicity), KINDS[type_](**attributes))


def _mistakes(kind: type[Kind], attributes: object) -> list[str]:
    if not isinstance(attributes, Mapping):
        return ["attributes: must be an object"]
    known = {each.name: type(each.default) for each in fields(kind)}
    return [
        f"attribute {name}: there are {', '.join(known)}" if name not in known else f"attribute {name}: {why}"
        for name, value in attributes.items()
        if name not in known or (why := _unfit(known[name], value))
    ]


def _unfit(wanted: type, value: object) -> str:
    """Why a value is none for an attribute, "" if it is one."""
    if type(value) is not wanted:
        return f"{value!r} is not {'a whole number' if wanted is int else 'a text'}"
    if isinstance(value, int):
        return f"{value} is below 0" if value < 0 else ""
    try:
        bytes.fromhex(str(value))
    except ValueError:
        return f"{value!r} is not hexadecimal"
    return ""
