"""Sessions in the cache, where a cache that does not answer is no session that has ended."""

from typing import Any

from django.contrib.sessions.backends import cache

from config.errors import AWAY


class SessionStore(cache.SessionStore):
    """Django's own, but for an outage: it would sign everybody out (401) where nobody can know, which is 503."""

    def load(self) -> dict[str, Any]:
        """Return what the session holds, nothing if there is none.

        Raises:
            RedisError, OperationalError, InterfaceError: the cache does not answer.
        """
        try:
            kept = self._cache.get(self.cache_key)
        except AWAY:
            raise
        except Exception:  # noqa: BLE001 - as Django has it: a key that the cache cannot have is no session
            kept = None
        if kept is None:
            self._session_key = None
        return kept or {}
