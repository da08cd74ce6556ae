"""Ledgers: what a prober wrote down, attempt by attempt, read back only if nothing of it is missing or was changed.

A ledger is lines of JSON. The first says what was set and what the prober's clock showed, each further one is an
attempt that has ended, in the order in which they ended, and the last one says how many there are. Each line ends with
``chain``: the first 16 hexadecimal digits of the SHA-256 of the line before's whole SHA-256 and this line without it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from serverlab.errors import LabError
from serverlab.model.base import Count, Record, Seconds
from serverlab.model.faults import Attempt

T = TypeVar("T")

FORMAT = 1
LINE = re.compile(r'(\{.*),"chain":"([0-9a-f]{16})"\}')


class BrokenLedger(LabError):
    """A ledger is cut short or was changed; ``what`` says where and how."""


class Opening(Record, frozen=True):
    """The first line: what the prober was told, and its clock (``began_s``) and kernel when it began."""

    ledger: int
    began_s: float
    boot_id: str
    url: str
    reads_per_s: float
    writes_per_s: float
    timeout_s: Seconds
    duration_s: Seconds
    guarded: bool


class Closing(Record, frozen=True):
    """The last line: how many attempts there were, and the prober's clock when all of them had ended."""

    rows: Count
    ended_s: float


@dataclass(frozen=True)
class Ledger:
    """A whole ledger; ``text`` is its lines, ``sha256`` that of ``text``."""

    opening: Opening
    attempts: tuple[Attempt, ...]
    closing: Closing
    text: str

    @property
    def sha256(self) -> str:
        """What is written down beside the result, so that the two stay together."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Chain:
    """The running checksum of lines."""

    def __init__(self) -> None:
        """Begin before the first line."""
        self._digest = b""

    def unlocked(self, line: str) -> str:
        """The line without its checksum.

        Raises:
            ValueError: it has none, or another than follows from the lines before it and itself.
        """
        found = LINE.fullmatch(line)
        if found is None:
            raise ValueError("it is cut short or has no checksum")
        body = found[1] + "}"
        self._digest = hashlib.sha256(self._digest + body.encode()).digest()
        if self._digest.hex()[:16] != found[2]:
            raise ValueError("its checksum is wrong: it, or a line before it, was changed or is missing")
        return body


def read_opening(line: str, *, where: str) -> Opening:
    """The first line of a ledger alone.

    Raises:
        BrokenLedger: it is none, or of another format.
    """
    return _opening(Chain(), line, where)


def parse_ledger(lines: Iterable[str], *, where: str) -> Ledger:
    """The ledger in these lines; ``where`` names it in errors.

    Raises:
        BrokenLedger: a line is cut short, changed, missing or too many; with its number and the reason.
    """
    kept = list(lines)
    if not kept:
        raise BrokenLedger(f"{where} is empty", "The prober did not start, or its output was lost.")
    chain = Chain()
    opening = _opening(chain, kept[0], where)
    attempts: list[Attempt] = []
    for number, line in enumerate(kept[1:], start=2):
        body = _unlocked(chain, line, where, number)
        if body.startswith('{"rows":'):
            closing = _converted(body, Closing, where, number)
            _check_end(closing, attempts, rest=len(kept) - number, where=where, number=number)
            return Ledger(opening, tuple(attempts), closing, "".join(f"{each}\n" for each in kept))
        attempts.append(_converted(body, Attempt, where, number))
    raise BrokenLedger(
        f"{where} ends after line {len(kept)} without its last line",
        "Its prober was killed or is still at work; what it did not write down cannot be judged.",
    )


def _opening(chain: Chain, line: str, where: str) -> Opening:
    opening = _converted(_unlocked(chain, line, where, 1), Opening, where, 1)
    if opening.ledger != FORMAT:
        raise BrokenLedger(
            f"{where} has format {opening.ledger}, this lab reads {FORMAT}",
            "Build the images: `make images`.",
        )
    return opening


def _check_end(closing: Closing, attempts: list[Attempt], *, rest: int, where: str, number: int) -> None:
    if closing.rows != len(attempts):
        raise BrokenLedger(
            f"{where}, line {number}: {closing.rows} attempts are announced, {len(attempts)} there"
        )
    if rest:
        raise BrokenLedger(f"{where}, line {number + 1}: there are lines after the last one")


def _unlocked(chain: Chain, line: str, where: str, number: int) -> str:
    try:
        return chain.unlocked(line)
    except ValueError as broken:
        raise BrokenLedger(f"{where}, line {number}: {broken}") from None


def _converted(body: str, kind: type[T], where: str, number: int) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as wrong:
        raise BrokenLedger(f"{where}, line {number}: {wrong}") from None
