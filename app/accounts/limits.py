"""How often somebody may show a password: counted for the address and for the account, in the shared cache.

Counting comes before hashing: a refused attempt costs a fraction of a checked one. Counters are of fixed windows and
end with them, so nobody is locked out for longer than a minute. Redis counts without a gap; the table in SQLite does
too, because its transactions begin with the lock. In a table of PostgreSQL a counter is read and then written: attempts
of the very same moment may be counted as one, at every count.
"""

import hashlib
import logging
import time
from contextlib import nullcontext

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, transaction
from django.http import HttpRequest
from redis.exceptions import RedisError

from config.clients import client_address

TOO_MANY = "Too many attempts to sign in."
WINDOW_S = 60
PER_ADDRESS = 20
PER_ACCOUNT = 10

log = logging.getLogger(__name__)


class TooManyAttempts(Exception):
    """The attempt is not looked at; `retry_after_s` seconds later one will be."""

    def __init__(self, retry_after_s: int) -> None:
        """Say when to come back."""
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


def count_log_in(request: HttpRequest, username: str) -> None:
    """Count an attempt, unless limits are off (LAB_LOGIN_LIMITS), as they are while the lab measures.

    Raises:
        TooManyAttempts: one too many; or nothing can be counted, since the cache does not answer.
    """
    if not settings.LAB_LOGIN_LIMITS:
        return
    now = time.time()
    window, passed_s = divmod(now, WINDOW_S)
    account = hashlib.sha256(username.casefold().encode()).hexdigest()
    limits = {
        f"login:address:{client_address(request)}": PER_ADDRESS,
        f"login:account:{account}": PER_ACCOUNT,
    }
    try:
        counted = [_count(f"{key}:{int(window)}") > limit for key, limit in limits.items()]
    except (RedisError, DatabaseError):
        log.exception("attempts to sign in cannot be counted: refused")
        counted = [True]
    if any(counted):
        raise TooManyAttempts(max(1, round(WINDOW_S - passed_s)))


def _count(key: str) -> int:
    # Without Redis the cache is a table, and one transaction reads the counter and writes the next number.
    with nullcontext() if settings.REDIS_URL else transaction.atomic():
        cache.add(key, 0, timeout=2 * WINDOW_S)
        return int(cache.incr(key))
