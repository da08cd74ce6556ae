"""The cases as data: complete, and their bytes as their names say."""

from __future__ import annotations

from collections import Counter

import pytest

from serverlab.framing import CASES
from serverlab.framing.case import Draft, in_chunks

DRAFT = Draft(host="127.0.0.1:8000", token="0123456789ab", access="token")
FORMS = [(case, form) for case in CASES.values() for form in case.forms]
NAMES = [f"{case.id} {form.name}" for case, form in FORMS]


def built(case, form):
    (found,) = [each for each in CASES[case].forms if each.name == form]
    written = found.build(DRAFT)
    return written if isinstance(written, bytes) else next(iter(written))


def test_every_row_is_there():
    numbers = [*range(1, 18), *range(20, 32), *range(60, 68)]
    assert list(CASES) == [f"H-{number:02}" for number in numbers]


def test_no_case_has_two_forms_of_one_name():
    assert [name for name, count in Counter(NAMES).items() if count > 1] == []


@pytest.mark.parametrize(("case", "form"), FORMS, ids=NAMES)
def test_a_form_is_written_alike_each_time_and_says_whose_it_is(case, form):
    first = built(case.id, form.name)
    assert first == built(case.id, form.name)
    assert b"0123456789ab-first" in first
    assert set(form.messages) <= {"first", "second"}


def test_lengths_and_chunks_disagree_about_a_hidden_request():
    hidden = DRAFT.hidden
    head, _, body = built("H-01", "CL.TE").partition(b"\r\n\r\n")
    assert (b"Content-Length: %d" % len(body) in head, body) == (True, in_chunks() + hidden)
    head, _, body = built("H-01", "TE.CL").partition(b"\r\n\r\n")
    assert body == in_chunks(hidden)
    assert b"Content-Length: %d\r\n" % len(b"%x\r\n" % len(hidden)) in head + b"\r\n"


@pytest.mark.parametrize(
    ("case", "form", "line"),
    [
        ("H-03", "+1", b"Content-Length: +1\r\n"),
        ("H-03", "empty", b"Content-Length: \r\n"),
        ("H-04", "\\x85 before the colon", b"Content-Length\x85: "),
        ("H-06", "\\x0bchunked", b"Transfer-Encoding: \x0bchunked\r\n"),
        ("H-07", "chunked", b" HTTP/1.0\r\n"),
        ("H-22", "GET *", b"GET * HTTP/1.1\r\n"),
        ("H-24", "between two headers", b"X-One: 1\nX-Two: 2\r\n"),
        ("H-25", "\\0", b"X-Odd: one\0two\r\n"),
        ("H-28", "TRACE", b"TRACE /healthz?marker="),
        ("H-30", "..", b"GET /static/../../../etc/passwd?marker="),
    ],
)
def test_the_odd_bytes_are_as_they_are_named(case, form, line):
    assert line in built(case, form)


def test_sizes_and_counts_are_those_that_are_named():
    assert 4_950 < len(built("H-60", "5,000 bytes").split(b"\r\n")[0]) <= 5_000
    assert len(built("H-64", "1,000 headers").split(b"\r\n\r\n")[0].split(b"\r\n")) - 1 == 1_000
    assert len(built("H-63", "101 headers").split(b"\r\n\r\n")[0].split(b"\r\n")) - 1 == 101
    body = built("H-65", "a byte more than the app takes").partition(b"\r\n\r\n")[2]
    assert len(body) == (1 << 20) + 1
    assert len(built("H-66", "gzip that unpacks to 100 MB")) < 200_000
