"""Serve the page on every target alike, with or without an edge that serves files."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_safe

from page.files import FILES

INDEX = "index.html"


def _etag(request: HttpRequest, name: str = INDEX) -> str | None:
    return FILES[name].etag if name in FILES else None


# Kept by browsers, and asked for again each time, which costs a 304: the names of the files never change.
@require_safe
@cache_control(no_cache=True)
@condition(etag_func=_etag)
def page_file(request: HttpRequest, name: str = INDEX) -> HttpResponse:
    """Answer with a file of the page; 304 if the browser has it already."""
    if name not in FILES:
        raise Http404
    return HttpResponse(FILES[name].content, content_type=FILES[name].content_type)
