"""Plain Django views: no database and no token, unless they say so."""

import time

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from config.errors import only_reads
from lab.identity import identity_of

WAIT_MAX_MS = 10_000


@only_reads
def health(request: HttpRequest) -> JsonResponse:
    """Say that the process answers."""
    return JsonResponse({"status": "ok"})


@only_reads
def ready(request: HttpRequest) -> JsonResponse:
    """Say whether the database answers too; 503 if not."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "database": "failed"}, status=503)
    return JsonResponse({"status": "ok", "database": "ok"})


@only_reads
def ping(request: HttpRequest) -> JsonResponse:
    """Do as little as a view can."""
    return JsonResponse({"ping": "pong"})


@only_reads
def identity(request: HttpRequest) -> JsonResponse:
    """Say what runs this very request."""
    return JsonResponse(identity_of(request))


@only_reads
def wait(request: HttpRequest) -> JsonResponse:
    """Sleep `ms` milliseconds (0 to 10000, default 100), as a view does that waits for somebody else."""
    asked = request.GET.get("ms", "100")
    if not (asked.isascii() and asked.isdecimal() and len(asked) <= 5 and int(asked) <= WAIT_MAX_MS):
        return JsonResponse({"detail": f"ms must be a whole number from 0 to {WAIT_MAX_MS}."}, status=400)
    time.sleep(int(asked) / 1000)
    return JsonResponse({"waited_ms": int(asked)})
