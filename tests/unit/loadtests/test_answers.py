import pytest

from shared.answers import Expected, Kind

PAGE = Expected(start=b'{"count":', part=b'"results":[{', least_bytes=30)
RIGHT = b'{"count":500,"next":null,"results":[{"id":1}]}'


def test_right_answer():
    """A right answer is no failure."""
    assert PAGE.failure(200, RIGHT) is None


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        pytest.param(503, RIGHT, Kind.STATUS, "status 503 instead of 200", id="status"),
        pytest.param(201, RIGHT, Kind.STATUS, "status 201 instead of 200", id="another success"),
        pytest.param(200, b"<html>", Kind.CONTENT, "unexpected body '<html>'", id="beginning"),
        pytest.param(
            200,
            b'{"count":0,"results":[]}',
            Kind.CONTENT,
            """unexpected body '{"count":0,"results":[]}'""",
            id="part",
        ),
        pytest.param(
            200,
            b'{"count":1,"results":[{}]}',
            Kind.CONTENT,
            "body of 26 instead of at least 30 bytes",
            id="length",
        ),
        pytest.param(200, b"", Kind.CONTENT, "unexpected body ''", id="empty"),
    ],
)
def test_wrong_answer(status, body, kind, text):
    """A wrong answer is a failure that says what is wrong."""
    failure = PAGE.failure(status, body)
    assert (failure.kind, failure.status, str(failure)) == (kind, status, text)


def test_body_that_is_no_text():
    """A long body that is no text is shown in part, with replacement characters."""
    failure = PAGE.failure(200, b"\xff" * 100)
    assert str(failure) == f"unexpected body '{chr(0xFFFD) * 60}...'"


def test_other_right_status():
    """The right status need not be 200."""
    assert Expected(status=201).failure(201, b"") is None
