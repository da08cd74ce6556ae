"""Log lines: one JSON object each, and no secret in it."""

import json
import logging

import pytest
from django.conf import settings

from config.logs import json_formatter

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiMSJ9.c2lnbmF0dXJl"


@pytest.fixture
def logged():
    """What the project's own formatter makes of a message, and of an exception that holds it."""
    options = dict(settings.LOGGING["formatters"]["json"])
    assert options.pop("()") == "config.logs.json_formatter"
    formatter = json_formatter(**options)

    def made(message):
        try:
            raise ValueError(message)  # noqa: TRY301 - caught for its traceback
        except ValueError as error:
            caught = (ValueError, error, error.__traceback__)
        record = logging.LogRecord("app", logging.ERROR, __file__, 1, "failed: %s", (message,), caught)
        return formatter.format(record)

    return made


def test_an_exception_is_one_line_with_its_traceback(logged):
    line = logged("planted in rest_framework.authentication.TokenAuthentication")
    found = json.loads(line)
    assert "\n" not in line
    assert found["event"] == "failed: planted in rest_framework.authentication.TokenAuthentication"
    assert (found["level"], found["logger"]) == ("error", "app")
    assert "Traceback (most recent call last)" in found["exception"]
    assert "ValueError: planted in rest_framework.authentication.TokenAuthentication" in found["exception"]


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (f"token {JWT} is wrong", "token [hidden] is wrong"),
        ("Authorization: Bearer abc.def-123 came", "Authorization: Bearer [hidden] came"),
        ("authorization: basic dXNlcjpwYXNz", "authorization: basic [hidden]"),
        (
            "connecting to postgres://lab:pass-word@db:5432/lab",
            "connecting to postgres://[hidden]@db:5432/lab",
        ),
        (f"SECRET_KEY={settings.SECRET_KEY}", "SECRET_KEY=[hidden]"),
        (f"{{'signing': {settings.JWT_KEYS.signing.signing!r}}}", "{'signing': b'[hidden]'}"),
    ],
)
def test_secrets_are_hidden_in_the_message_and_in_the_traceback(logged, message, shown):
    found = json.loads(logged(message))
    assert found["event"] == f"failed: {shown}"
    assert found["exception"].endswith(f"ValueError: {shown}")
