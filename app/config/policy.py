"""The header that tells browsers what a page may load."""

from csp.middleware import CSPMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class ContentPolicy(CSPMiddleware):
    """Writes the directives in one order: the library takes them from a set, in an order of each process's own."""

    def build_policy(self, request: HttpRequest, response: HttpResponseBase) -> str:
        """Return the policy, its directives sorted."""
        return "; ".join(sorted(super().build_policy(request, response).split("; ")))
