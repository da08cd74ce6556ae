"""What the feed does once per process."""

from django.apps import AppConfig
from django.conf import settings


class RealtimeConfig(AppConfig):
    """The feed."""

    name = "realtime"

    def ready(self) -> None:
        """Listen to changes where there is a feed; elsewhere a write costs nothing for it."""
        from realtime import publishing  # noqa: PLC0415 - it needs the models, which are loaded by now

        if settings.REALTIME:
            publishing.begin()
