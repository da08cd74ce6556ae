"""Views that go wrong in one way each. They exist only where the lab has switched them on (`LAB_FAULTS`)."""

import ctypes
import math
import os
import threading
import time

from django.http import HttpRequest, HttpResponse, JsonResponse

from config.errors import only_reads
from config.plainjson import json_view, refused

MAX_S = 60.0
MAX_LEAK_MB = 512
MAX_BIG_MB = 64
HELD: list[bytes] = []
"""What has leaked in this process."""

NEVER_RELEASED = threading.Lock()


@json_view("GET")
def sleep(request: HttpRequest) -> HttpResponse:
    """Wait `s` seconds (0 to 60, default 1) for nothing."""
    duration_s = _seconds(request)
    time.sleep(duration_s)
    return JsonResponse({"slept_s": duration_s})


@json_view("GET")
def spin(request: HttpRequest) -> HttpResponse:
    """Compute for `s` seconds; other threads get their turns."""
    duration_s = _seconds(request)
    until_s = time.monotonic() + duration_s
    while time.monotonic() < until_s:
        pass
    return JsonResponse({"spun_s": duration_s})


async def block(request: HttpRequest) -> HttpResponse:
    """Wait `s` seconds within a coroutine, so that an event loop does nothing else meanwhile."""
    return _block(request)


@json_view("GET")
def _block(request: HttpRequest) -> HttpResponse:
    duration_s = _seconds(request)
    time.sleep(duration_s)
    return JsonResponse({"blocked_s": duration_s})


@json_view("GET")
def gil(request: HttpRequest) -> HttpResponse:
    """Stay in C code for `s` seconds without letting another thread of this interpreter run."""
    duration_s = _seconds(request)
    ctypes.PyDLL(None).usleep(ctypes.c_uint(round(duration_s * 1e6)))
    return JsonResponse({"held_s": duration_s})


@json_view("GET")
def leak(request: HttpRequest) -> HttpResponse:
    """Keep `mb` MiB (1 to 512, default 1) for as long as this process lives."""
    leaked_mb = _megabytes(request, MAX_LEAK_MB)
    HELD.append(b"x" * (leaked_mb << 20))
    return JsonResponse({"leaked_mb": leaked_mb, "held_mb": sum(map(len, HELD)) >> 20})


@json_view("GET")
def leave(request: HttpRequest) -> HttpResponse:
    """End this process with the exit code `code` (0 to 255, default 1), without an answer."""
    os._exit(_whole(request, "code", default=1, least=0, most=255))


@only_reads
def segfault(request: HttpRequest) -> HttpResponse:
    """Read from address 0: the kernel ends this process."""
    ctypes.string_at(0)
    return JsonResponse({"detail": "It did not end."}, status=500)


@only_reads
def dead(request: HttpRequest) -> HttpResponse:
    """Wait for ever for a lock that this very thread holds, or another that came here before."""
    NEVER_RELEASED.acquire()
    NEVER_RELEASED.acquire()
    return JsonResponse({"detail": "It did not lock."}, status=500)


@only_reads
def error(request: HttpRequest) -> HttpResponse:
    """Fail as a view does that has a mistake."""
    raise RuntimeError("a view that fails")


@json_view("GET")
def big(request: HttpRequest) -> HttpResponse:
    """Answer with `mb` MiB (1 to 64, default 1) of the letter x."""
    return HttpResponse(
        b"x" * (_megabytes(request, MAX_BIG_MB) << 20), content_type="application/octet-stream"
    )


def _seconds(request: HttpRequest) -> float:
    text = request.GET.get("s", "1")
    try:
        asked = float(text) if text.isascii() and len(text) <= 10 else math.nan
    except ValueError:
        asked = math.nan
    if not 0 <= asked <= MAX_S:
        raise refused(400, f"s must be a number of seconds from 0 to {MAX_S:g}.")
    return asked


def _megabytes(request: HttpRequest, most: int) -> int:
    return _whole(request, "mb", default=1, least=1, most=most)


def _whole(request: HttpRequest, name: str, *, default: int, least: int, most: int) -> int:
    text = request.GET.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and least <= int(text) <= most):
        raise refused(400, f"{name} must be a whole number from {least} to {most}.")
    return int(text)
