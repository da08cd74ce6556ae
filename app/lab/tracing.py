"""What a request cost the database, told to the lab when it asks."""

import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

ASKED = "HTTP_X_LAB_TRACE"
BEGINNINGS = ("BEGIN", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")

Answer = Callable[[HttpRequest], HttpResponse]


class Queries:
    """Counts what goes to the database and how long it took; what only frames a transaction is no query."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.count = 0
        self.duration_s = 0.0

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: object) -> Any:  # noqa: ANN401 - Django's
        """Execute one statement."""
        self.count += not sql.startswith(BEGINNINGS)
        began = time.perf_counter()
        try:
            return execute(sql, *rest)
        finally:
            self.duration_s += time.perf_counter() - began


@sync_and_async_middleware
def trace(
    get_response: Answer | Callable[[HttpRequest], Awaitable[HttpResponse]],
) -> Answer | Callable[[HttpRequest], Awaitable[HttpResponse]]:
    """Add X-Query-Count and Server-Timing to the answer of a request with `X-Lab-Trace: on`.

    For others it does nothing but look: no thread is changed, no statement is wrapped. Under ASGI a traced request
    runs in one thread as a whole, because a database connection belongs to the thread that uses it.
    """
    if iscoroutinefunction(get_response):
        in_one_thread = sync_to_async(_traced)

        async def answer_async(request: HttpRequest) -> HttpResponse:
            if request.META.get(ASKED) != "on":
                return await get_response(request)
            return await in_one_thread(async_to_sync(get_response), request)

        return answer_async

    def answer(request: HttpRequest) -> HttpResponse:
        return _traced(get_response, request) if request.META.get(ASKED) == "on" else get_response(request)

    return answer


def _traced(get_response: Answer, request: HttpRequest) -> HttpResponse:
    queries = Queries()
    began = time.perf_counter()
    with ExitStack() as stack:
        for connection in connections.all():
            stack.enter_context(connection.execute_wrapper(queries))
        response = get_response(request)
    total_ms = (time.perf_counter() - began) * 1000
    response["X-Query-Count"] = str(queries.count)
    response["Server-Timing"] = f"db;dur={queries.duration_s * 1000:.3f}, total;dur={total_ms:.3f}"
    return response
