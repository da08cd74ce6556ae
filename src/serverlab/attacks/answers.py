"""What attacks look at in an answer."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2

from serverlab.probe import Answer


def answer_of(response: httpx2.Response) -> Answer:
    """The whole answer, as far as attacks look at it; ``said`` holds the body."""
    try:
        document = response.json()
    except ValueError:
        document = None
    return Answer(
        status=response.status_code,
        headers={key.lower(): value for key, value in response.headers.items()},
        document=document if isinstance(document, dict) else {},
        said=response.text[:100_000],
    )


def cookies_in(headers: Mapping[str, str], *, ending: str = "") -> dict[str, str]:
    """Names (with that ending) and values of the cookies that an answer sets; no value of ours holds a comma."""
    parts = headers.get("set-cookie", "").replace(",", ";").split(";")
    return {
        name.strip(): value.strip('"')
        for name, equals, value in (part.partition("=") for part in parts)
        if equals and name.endswith(ending)
    }
