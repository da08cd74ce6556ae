"""What runs this process, read from the process itself and not from what somebody says about it."""

import os
import platform
import re
import socket
import threading
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.contrib.auth.hashers import get_hasher
from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.http import HttpRequest
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV

WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"


def identity_of(request: HttpRequest) -> dict[str, Any]:
    """Return the facts about the process and the thread that answer `request`.

    `process` and `parent` are full command lines, None where /proc does not tell. `distributions` has every
    installed one by its normalised name ("mod-wsgi"), so that also what should be absent can be seen.
    """
    return {
        **_process(),
        **_budget(),
        **_software(),
        **_stated(request),
        "server_software": request.META.get("SERVER_SOFTWARE"),
        "scheme": request.scheme,
        "client": request.META.get("REMOTE_ADDR"),
    }


def _stated(request: HttpRequest) -> dict[str, Any]:
    """Return what the server says of itself; over ASGI only Django would speak, so that is None."""
    over_asgi = isinstance(request, ASGIRequest)
    stated = {} if over_asgi else request.META
    return {
        "interface": "asgi" if over_asgi else "wsgi",
        "multithread": stated.get("wsgi.multithread"),
        "multiprocess": stated.get("wsgi.multiprocess"),
        "process_group": stated.get("mod_wsgi.process_group"),
    }


def _process() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "ppid": os.getppid(),
        "process": _command_line(os.getpid()),
        "parent": _command_line(os.getppid()),
        "thread_id": threading.get_native_id(),
        "hostname": socket.gethostname(),
    }


def _budget() -> dict[str, Any]:
    return {
        "variant": settings.LAB_VARIANT,
        "workers": settings.LAB_WORKERS,
        "threads": settings.LAB_THREADS,
        "cpus": settings.LAB_CPUS,
    }


def _software() -> dict[str, Any]:
    return {
        "debug": settings.DEBUG,
        "autoreload": os.environ.get(DJANGO_AUTORELOAD_ENV) == "true",
        "django": django.get_version(),
        "python": platform.python_version(),
        "database": connection.vendor,
        "password_hasher": get_hasher().algorithm,
        "session_store": settings.SESSION_STORE,
        "jwt_verify": settings.JWT_VERIFY,
        "jwt_algorithm": settings.JWT_KEYS.signing.algorithm,
        "plain_tokens": settings.PLAIN_TOKENS,
        "cache": "redis" if settings.REDIS_URL else "database",
        "login_limits": settings.LAB_LOGIN_LIMITS,
        "static_files": "whitenoise" if WHITENOISE in settings.MIDDLEWARE else "none",
        "realtime": settings.REALTIME,
        "distributions": _distributions(),
    }


def _command_line(pid: int) -> str | None:
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    return raw.rstrip(b"\0 ").replace(b"\0", b" ").decode(errors="replace")


@cache
def _distributions() -> dict[str, str]:
    return {re.sub(r"[-_.]+", "-", found.name).lower(): found.version for found in metadata.distributions()}
