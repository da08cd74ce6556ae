"""Reading request bodies."""

import io
from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

DEPTH_MAX = 20  # what we take is two deep; what is deeper may crash whoever walks or prints it


class TooLarge(APIException):
    """413: the body is larger than DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = 413
    default_detail = "The body is too large."


class GuardedJSONParser(JSONParser):
    """JSON in UTF-8, whatever the request says of its charset, of bounded size and depth."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - JSON may be anything
        """Return the parsed body; raise TooLarge (413) or ParseError (400)."""
        body = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLarge
        context = {**(parser_context or {}), "encoding": "utf-8"}
        try:
            content = super().parse(io.BytesIO(body), media_type, context)
        except RecursionError:
            raise _too_deep() from None
        if body.count(b"[") + body.count(b"{") > DEPTH_MAX and _is_deeper(content, DEPTH_MAX):
            raise _too_deep()
        return content


def _is_deeper(content: object, depth: int) -> bool:
    level = [content]
    for _ in range(depth):
        level = [child for each in level for child in _children(each)]
    return any(isinstance(each, dict | list) for each in level)


def _children(content: object) -> Iterable[object]:
    if isinstance(content, dict):
        return content.values()
    return content if isinstance(content, list) else ()


def _too_deep() -> ParseError:
    return ParseError("The JSON is nested too deeply.")
