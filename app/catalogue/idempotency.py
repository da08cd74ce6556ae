"""Writes that may be sent again: the key of a request names it, and its answer is kept beside what it wrote."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from catalogue.models import Write

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
NOT_DONE_YET = 102

current_key: ContextVar[str | None] = ContextVar("current_key", default=None)
"""The key of the write that is being made, for whoever tells others of it; None for a write without one."""


class Conflict(APIException):
    """409: the write contradicts what is stored."""

    status_code = 409
    default_detail = (
        "This contradicts what somebody else wrote at the same moment. Read again, then try again."
    )


class KeyReused(APIException):
    """422: the key already stands for another request."""

    status_code = 422
    default_detail = f"This {HEADER} was used for another request. Take a new one."


def is_key(text: str) -> bool:
    """Return whether the text can be a key: 1 to 64 of A-Z, a-z, 0-9, _ and -."""
    return KEY.fullmatch(text) is not None


def once(request: Request, write: Callable[[], Response]) -> Response:
    """Return what `write` answers; for a request that repeats one under the same key, what that one was answered.

    Without a key this is only `write`, and costs nothing. Refusals are exceptions: they keep no key. The body is read
    before anything is locked: a client that stops in the middle of it holds up nobody else's writes.

    Raises:
        ParseError, UnsupportedMediaType: the body cannot be read.
        ValidationError: the key is malformed.
        KeyReused: the key stands for another request of this user.
        Conflict: the database refused what validation had let pass.
    """
    key = request.headers.get(HEADER)
    if key is not None and not is_key(key):
        raise ValidationError({HEADER: ["Must be 1 to 64 of A-Z, a-z, 0-9, _ and -."]})
    content = request.data
    with _refusing_conflicts():
        return write() if key is None else _first_or_same(request, key, _fingerprint(request, content), write)


@transaction.atomic
def _first_or_same(request: Request, key: str, fingerprint: str, write: Callable[[], Response]) -> Response:
    """Write, and keep the answer under the key, in one transaction.

    The key's row comes first: of two requests at once the second waits for the first at the unique index (on
    SQLite: for its whole transaction). Then it either finds the row, or the first has failed and it takes its place.
    """
    try:
        with transaction.atomic():
            kept = Write.objects.create(
                user_id=request.user.pk,
                key=key,
                fingerprint=fingerprint,
                method=request.method,
                path=request.path,
                status=NOT_DONE_YET,
            )
    except IntegrityError:
        return _replay(Write.objects.get(user_id=request.user.pk, key=key), fingerprint)
    with _known_as(key):
        response = write()
    kept.status = response.status_code
    kept.body = "" if response.data is None else JSONRenderer().render(response.data).decode()
    kept.save(update_fields=["status", "body"])
    return response


def _replay(kept: Write, fingerprint: str) -> Response:
    if kept.fingerprint != fingerprint:
        raise KeyReused
    body = json.loads(kept.body) if kept.body else None
    return Response(body, status=kept.status, headers={REPLAYED: "true"})


def _fingerprint(request: Request, content: object) -> str:
    """Return 64 hex characters that differ for another method, address or content."""
    asked = f"{request.method} {request.get_full_path()}\n{json.dumps(content, sort_keys=True)}"
    return hashlib.sha256(asked.encode()).hexdigest()


@contextmanager
def _known_as(key: str) -> Iterator[None]:
    before = current_key.set(key)
    try:
        yield
    finally:
        current_key.reset(before)


@contextmanager
def _refusing_conflicts() -> Iterator[None]:
    try:
        yield
    except ProtectedError as error:
        count = len(error.protected_objects)
        raise Conflict(f"{count} {'book needs' if count == 1 else 'books need'} it.") from error
    except IntegrityError as error:
        raise Conflict from error
