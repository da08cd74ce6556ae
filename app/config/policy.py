"""The header that tells browsers what a page may load."""

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class ContentPolicy(CSPMiddleware):
    """Writes the directives in one order: the library takes them from a set, in an order of each process's own."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Add the policy, its directives sorted."""
        answer = super().process_response(request, response)
        if HEADER in answer:
            answer[HEADER] = "; ".join(sorted(answer[HEADER].split("; ")))
        return answer
