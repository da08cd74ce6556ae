"""Lets every request past the CSRF check, so that the lab can show what that check keeps out."""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction

from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

View = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def unchecked(get_response: View) -> View:
    """Mark each request as Django's own test client does; its middleware, its decorators and DRF all heed that."""
    if iscoroutinefunction(get_response):

        async def unchecked_async(request: HttpRequest) -> HttpResponseBase:
            return await get_response(_marked(request))

        return unchecked_async

    def unchecked_sync(request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        return get_response(_marked(request))

    return unchecked_sync


def _marked(request: HttpRequest) -> HttpRequest:
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]  # noqa: SLF001 - what it is there for
    return request
