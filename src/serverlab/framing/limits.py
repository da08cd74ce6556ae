"""How large and how many: pinned equal where servers let themselves be told, reported where not."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator

from serverlab.framing.case import CRLF, Case, Draft, Form
from serverlab.framing.exchange import repeated
from serverlab.framing.lengths import CHUNKED
from serverlab.framing.rules import (
    TOO_LARGE,
    both,
    delivered,
    judged_by,
    measured_at_most,
    never_short,
    no_error,
    within,
)

LOGIN = "/api/auth/jwt/login/"
BOOKS = "/api/books/"
APP_LIMIT = 1 << 20
EDGE_LIMIT = 2 << 20
ENDLESS_BYTES = 100_000_000
JSON = "Content-Type: application/json"
CPU_S = 1.0
MOST_ROWS = 500
MOST_QUERIES = 10

TAKEN_OR_TOO_LARGE = within(200, *TOO_LARGE)
LITTLE_CPU = measured_at_most("cpu_s", CPU_S, "s of CPU")
LITTLE_MEMORY = measured_at_most("memory_growth_mb", 2 * EDGE_LIMIT / 1e6, "MB more memory")


def _long_line(draft: Draft) -> bytes:
    line = draft.address(path=f"/lab/echo?pad={'x' * 4900}")
    return draft.request(target=line)


def _header(size: int) -> Callable[[Draft], bytes]:
    return lambda draft: draft.request(f"X-Pad: {'x' * size}")


def _headers(count: int) -> Callable[[Draft], bytes]:
    """So many headers in all, Host among them."""
    return lambda draft: draft.request(*(f"X-Pad-{number}: x" for number in range(count - 1)))


def _login(*lines: str, body: bytes) -> Callable[[Draft], bytes]:
    return lambda draft: draft.post(*lines, f"Content-Length: {len(body)}", target=LOGIN, body=body)


def _json(body: bytes, *lines: str) -> Callable[[Draft], bytes]:
    return _login(JSON, *lines, body=body)


def _credentials(size: int) -> bytes:
    """A log-in of so many bytes."""
    frame = b'{"username": "user01", "password": "%s"}'
    return frame % (b"x" * (size - len(frame % b"")))


def _larger_length(draft: Draft) -> bytes:
    return draft.post("Content-Length: 100", body=b"hello")


def _smaller_length(draft: Draft) -> bytes:
    return draft.post("Content-Length: 5", body=b"hello\0junk" + CRLF + CRLF)


def _body_without_end(draft: Draft) -> Iterator[bytes]:
    return repeated(draft.post("Content-Length: 5"), b"x" * 65_536, total_bytes=ENDLESS_BYTES)


def _chunks_without_end(draft: Draft) -> Iterable[bytes]:
    chunk = b"10000\r\n" + b"x" * 65_536 + CRLF
    return repeated(draft.post(JSON, CHUNKED, target=LOGIN), chunk, total_bytes=ENDLESS_BYTES)


def _parts(count: int) -> bytes:
    part = b'--lab\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'
    return part * count + b"--lab--\r\n"


def _books(query: str) -> Callable[[Draft], bytes]:
    return lambda draft: draft.request(
        f"Authorization: Bearer {draft.access}", "X-Lab-Trace: on", target=f"{BOOKS}?{query}"
    )


BOUNDED = both(
    within(200, 400, 404, 414),
    judged_by(
        f"more than {MOST_ROWS} rows", lambda seen: len(seen.first.document.get("results", ())) <= MOST_ROWS
    ),
    judged_by(
        f"more than {MOST_QUERIES} queries",
        lambda seen: int(seen.first.headers.get("x-query-count", 0)) <= MOST_QUERIES,
    ),
)

CASES: tuple[Case, ...] = (
    Case(
        "H-60",
        "A request line of 5,000 bytes",
        "200, 414 or 431",
        (Form("5,000 bytes", _long_line, TAKEN_OR_TOO_LARGE),),
    ),
    Case(
        "H-61",
        "A header of 9,000 bytes",
        "200, 431 or 400",
        (Form("9,000 bytes", _header(9000), TAKEN_OR_TOO_LARGE),),
    ),
    Case(
        "H-62",
        "A header of 20 kB",
        "200, 431 or 400",
        (Form("20,000 bytes", _header(20_000), TAKEN_OR_TOO_LARGE),),
    ),
    Case(
        "H-63",
        "101 headers",
        "200, 431 or 400",
        (Form("101 headers", _headers(101), TAKEN_OR_TOO_LARGE),),
    ),
    Case(
        "H-64",
        "1,000 headers",
        "200, 431 or 400",
        (Form("1,000 headers", _headers(1000), TAKEN_OR_TOO_LARGE),),
    ),
    Case(
        "H-65",
        "Bodies beyond their limits",
        "413 or the like, little memory; never a short body",
        (
            Form("as long as the app takes", _json(_credentials(APP_LIMIT)), within(400, 401)),
            Form(
                "a byte more than the app takes",
                _json(_credentials(APP_LIMIT + 1)),
                both(within(413), LITTLE_MEMORY),
                alone=True,
            ),
            Form(
                "a byte more than the edge takes",
                _json(_credentials(EDGE_LIMIT + 1)),
                both(within(413), LITTLE_MEMORY),
                alone=True,
            ),
            Form(
                "Content-Length larger than the body", _larger_length, never_short(100), tail=False, ends=True
            ),
            Form("Content-Length smaller than the body", _smaller_length, delivered(b"hello"), tail=False),
            Form(
                "100 MB after a tiny Content-Length",
                _body_without_end,
                both(no_error, LITTLE_MEMORY),
                tail=False,
                alone=True,
            ),
            Form(
                "chunks without end",
                _chunks_without_end,
                both(within(400, 411, 413, 501), LITTLE_MEMORY),
                tail=False,
                alone=True,
            ),
        ),
    ),
    Case(
        "H-66",
        "Bodies that cost much",
        "400 and the like, less than 1 s of CPU",
        (
            Form(
                "multipart with 10,000 parts",
                _login("Content-Type: multipart/form-data; boundary=lab", body=_parts(10_000)),
                both(within(400, 413, 415), LITTLE_CPU),
                alone=True,
            ),
            Form(
                "JSON 100,000 deep",
                _json(b"[" * 100_000 + b"]" * 100_000),
                both(within(400), LITTLE_CPU),
                alone=True,
            ),
            Form(
                "a number of a million digits",
                _json(b'{"username": ' + b"1" * 1_000_000 + b', "password": "x"}'),
                both(within(400), LITTLE_CPU),
                alone=True,
            ),
            Form(
                "a number of ten million digits",
                _json(b'{"username": ' + b"1" * 10_000_000 + b', "password": "x"}'),
                both(within(400, 413), LITTLE_CPU),
                alone=True,
            ),
            Form(
                "a key twice",
                _json(b'{"username": "a", "username": "b", "password": "x"}'),
                both(within(400), LITTLE_CPU),
                alone=True,
            ),
            Form(
                "gzip that unpacks to 100 MB",
                _json(gzip.compress(bytes(100_000_000), mtime=0), "Content-Encoding: gzip"),
                both(within(400, 415), LITTLE_CPU),
                alone=True,
            ),
        ),
    ),
    Case(
        "H-67",
        "Pages and filters",
        f"at most {MOST_ROWS} rows and {MOST_QUERIES} queries",
        (
            Form("page_size=500", _books("page_size=500"), BOUNDED),
            Form("page_size=1000000", _books("page_size=1000000"), BOUNDED),
            Form("page=10^18", _books(f"page={10**18}"), BOUNDED),
            Form("page of 300 digits", _books(f"page={'9' * 300}"), BOUNDED),
            Form("page=-1", _books("page=-1"), BOUNDED),
            Form("one filter 200 times", _books("&".join(["author=1"] * 200)), BOUNDED),
            Form("a search for 1,000 words", _books("search=" + "+".join(["a"] * 1000)), BOUNDED),
            Form("ordering by 300 fields", _books("ordering=" + ",".join(["title"] * 300)), BOUNDED),
        ),
    ),
)
"""Rows H-60 to H-67."""
