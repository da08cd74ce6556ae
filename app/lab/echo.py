"""What the app was handed by its server, told back and kept: so one sees what a server makes of an odd request.

A middleware and no view: it stands before everything that refuses requests, and sees what the server let through.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import sync_and_async_middleware

from config.errors import only_reads
from lab.models import Echo

PATH = "/lab/echo"
MARKED = re.compile(r"(?:^|&)marker=([A-Za-z0-9_-]{1,64})(?:&|$)")
MARKER = re.compile(r"[A-Za-z0-9_-]{1,64}")
CHUNK_BYTES = 1 << 16
MAX_BODY_BYTES = 16 << 20
SHOWN = 1000

Answer = Callable[[HttpRequest], HttpResponse]


@dataclass(frozen=True)
class Body:
    """What could be read of a body: ``framed_by`` length, chunked, asgi (which has no frames) or none.

    ``broke`` is the name of the error that ended the reading, "" if none did.
    """

    framed_by: str
    size: int
    sha256: str
    broke: str


@sync_and_async_middleware
def echo(get_response: Answer | Callable[[HttpRequest], Awaitable[HttpResponse]]) -> Any:  # noqa: ANN401 - two kinds
    """Keep each request with a marker, and answer all for /lab/echo; others pass untouched.

    A marker is up to 64 of A-Z, a-z, 0-9, _ and - in the header X-Lab-Marker, or `marker` in the query string.
    """
    if iscoroutinefunction(get_response):
        seen_async = sync_to_async(_seen)

        async def answer_async(request: HttpRequest) -> HttpResponse:
            told = await seen_async(request) if _concerns(request) else None
            return told or await get_response(request)

        return answer_async

    def answer(request: HttpRequest) -> HttpResponse:
        return (_seen(request) if _concerns(request) else None) or get_response(request)

    return answer


@only_reads
def echoes(request: HttpRequest) -> JsonResponse:
    """List the requests that were kept, the oldest first, at most the last 1000; those with `marker` if it is given."""
    kept = Echo.objects.order_by("-id")
    if marker := request.GET.get("marker"):
        kept = kept.filter(marker=marker)
    fields = ("marker", "method", "path", "body_bytes", "body_sha256")
    return JsonResponse({"echoes": list(kept.values(*fields)[:SHOWN])[::-1]})


def _concerns(request: HttpRequest) -> bool:
    return _is_echo(request) or _marker(request) is not None


def _is_echo(request: HttpRequest) -> bool:
    return request.path_info == PATH or request.path_info.startswith(f"{PATH}/")


def _marker(request: HttpRequest) -> str | None:
    header = request.META.get("HTTP_X_LAB_MARKER", "")
    if MARKER.fullmatch(header):
        return header
    # The list of what was kept is asked for by marker, too; that is no request to keep.
    found = None if request.path_info.startswith("/lab/echoes") else MARKED.search(_query(request))
    return found[1] if found else None


def _query(request: HttpRequest) -> str:
    return str(request.META.get("QUERY_STRING", ""))


def _seen(request: HttpRequest) -> HttpResponse | None:
    """Keep the request if it has a marker, and return the answer to one for /lab/echo.

    It is kept before its body is read: a body that never ends is no reason not to have seen the request.
    """
    marker = _marker(request)
    kept = _keep(request, marker) if marker else None
    if not _is_echo(request):
        return None
    body = _body(request)
    if kept:
        kept.body_bytes, kept.body_sha256 = body.size, body.sha256
        kept.save(update_fields=["body_bytes", "body_sha256"])
    response = JsonResponse(_told(request, body, marker))
    # The middleware that says it comes later; without it a server may not keep the connection.
    response.headers["Content-Length"] = str(len(response.content))
    return response


def _keep(request: HttpRequest, marker: str) -> Echo:
    query = _query(request)
    path = f"{request.path}?{query}" if query else request.path
    return Echo.objects.create(
        marker=marker, method=_printable(request.method or "")[:64], path=_printable(path)
    )


def _told(request: HttpRequest, body: Body, marker: str | None) -> dict[str, Any]:
    meta = request.META
    return {
        "marker": marker,
        "method": request.method,
        "path": request.path,
        "script_name": meta.get("SCRIPT_NAME", ""),
        "query": _query(request),
        "raw_uri": meta.get("RAW_URI") or meta.get("REQUEST_URI"),
        "protocol": meta.get("SERVER_PROTOCOL"),
        "scheme": request.scheme,
        "client": meta.get("REMOTE_ADDR"),
        "headers": dict(request.headers),
        "body_framed_by": body.framed_by,
        "body_bytes": body.size,
        "body_sha256": body.sha256,
        "body_broke": body.broke,
    }


def _body(request: HttpRequest) -> Body:
    """Read the body to its end, to MAX_BODY_BYTES, or to where it breaks."""
    framed_by, read = _reader(request)
    digest, size, broke = hashlib.sha256(), 0, ""
    try:
        while size < MAX_BODY_BYTES and (chunk := read(CHUNK_BYTES)):
            digest.update(chunk)
            size += len(chunk)
    except OSError as error:
        broke = type(error.__cause__ or error).__name__
    return Body(framed_by=framed_by, size=size, sha256=digest.hexdigest(), broke=broke)


def _reader(request: HttpRequest) -> tuple[str, Callable[[int], bytes]]:
    """Return how the body ends, and what reads it; Django itself takes a WSGI body without a length for empty."""
    if isinstance(request, ASGIRequest):
        return "asgi", request.read
    meta = request.META
    if meta.get("CONTENT_LENGTH"):
        return "length", request.read
    if "HTTP_TRANSFER_ENCODING" in meta and meta.get("wsgi.input_terminated"):
        return "chunked", meta["wsgi.input"].read
    return "none", lambda _: b""


def _printable(text: str) -> str:
    """Return the text in ASCII as JSON writes it: no database refuses that."""
    return json.dumps(text)[1:-1]
