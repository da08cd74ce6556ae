"""What processes and replicas share beside the rows of the database."""

from typing import Any

CACHE_TABLE = "shared_cache"
MAX_ENTRIES = (
    100_000  # beyond them the backend drops live entries, by default at 300: sessions, or counted attempts
)

REDIS_TIMEOUT_S = 2


def shared_cache(redis_url: str) -> dict[str, Any]:
    """Return the settings of the cache: Redis at the URL, or a table of the database when it is empty.

    Never one in memory: each process would have its own, and a limit of ten would be ten for each worker.
    """
    if redis_url:
        return {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": redis_url,
            "OPTIONS": {"socket_connect_timeout": REDIS_TIMEOUT_S, "socket_timeout": REDIS_TIMEOUT_S},
        }
    return {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": CACHE_TABLE,
        "OPTIONS": {"MAX_ENTRIES": MAX_ENTRIES},
    }


def channel_layer(redis_url: str) -> dict[str, Any]:
    """Return the settings of the channel layer: Redis at the URL, or the process's own memory when it is empty.

    In memory only sockets of the same process hear what the process does: enough for one process, and for no more.
    Over Redis by publish and subscribe: a message goes once to each process, whatever number of sockets it has.
    """
    if redis_url:
        layer = "channels_redis.pubsub.RedisPubSubChannelLayer"
        return {"BACKEND": layer, "CONFIG": {"hosts": [redis_url]}}
    return {"BACKEND": "channels.layers.InMemoryChannelLayer"}
