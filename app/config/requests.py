"""Requests as the project reads them: always in UTF-8."""

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest


class _Utf8:
    """Leaves the charset of a Content-Type to those who read the body.

    Django decodes the query string by it as well, and already while the request is made, before any middleware. One
    that decodes no text (`application/json; charset=zlib`) then is an error that no handler answers.
    """

    @property
    def encoding(self) -> None:
        """None: what the settings say, UTF-8."""
        return

    @encoding.setter
    def encoding(self, charset: str) -> None:
        pass


class Utf8WSGIRequest(_Utf8, WSGIRequest):
    """A request from a WSGI server."""


class Utf8ASGIRequest(_Utf8, ASGIRequest):
    """A request from an ASGI server."""
