"""JSON in, JSON out, for views that are plain functions: what DRF does for its own."""

import json
import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django import forms
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse

LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")  # JSON may hold half a pair, which no UTF-8 can write
View = Callable[[HttpRequest], HttpResponse]


class Refusal(Exception):
    """Why a request is not done: a status of 4xx and the JSON that says so."""

    def __init__(
        self, status: int, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
    ) -> None:
        """A refusal with `status`, a body and perhaps headers, which must hold no secret."""
        super().__init__(status, body)
        self.status = status
        self.body = dict(body)
        self.headers = dict(headers or {})


def refused(status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> Refusal:
    """Return a refusal that says one sentence."""
    return Refusal(status, {"detail": detail}, headers=headers)


def json_view(method: str) -> Callable[[View], View]:
    """Make a view of a function that takes one method, and may raise Refusal; who may GET may also ask for the HEAD."""
    allowed = [method, "HEAD"] if method == "GET" else [method]

    def decorate(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest) -> HttpResponse:
            try:
                if request.method not in allowed:
                    allow = {"Allow": ", ".join(allowed)}
                    raise refused(405, f'Method "{request.method}" not allowed.', headers=allow)
                return view(request)
            except Refusal as refusal:
                return JsonResponse(refusal.body, status=refusal.status, headers=refusal.headers)

        return answer

    return decorate


def fields_of(request: HttpRequest, form: type[forms.BaseForm]) -> dict[str, Any]:
    """Return the fields of the JSON object in the body, as the form cleans them.

    Raises:
        Refusal: 415 for another content type, 413 for too much, 400 for what is no JSON object of strings or is not
            what the form wants, by field.
    """
    bound = form(data=_object(request))
    if not bound.is_valid():
        raise Refusal(400, {name: list(errors) for name, errors in bound.errors.items()})
    return bound.cleaned_data


def _object(request: HttpRequest) -> dict[str, str]:
    if request.content_type != "application/json":
        raise refused(415, "Send a JSON object, with Content-Type: application/json.")
    try:
        content = json.loads(request.body.decode("utf-8"))
    except RequestDataTooBig:
        raise refused(413, "The body is too large.") from None
    except (ValueError, RecursionError):
        raise refused(400, "The body is no JSON that can be read.") from None
    if not isinstance(content, dict):
        raise refused(400, "Send a JSON object.")
    wrong = {name: ["Not a valid string."] for name, value in content.items() if not _is_text(value)}
    if wrong:
        raise Refusal(400, wrong)
    return content


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not LONE_SURROGATE.search(value)
