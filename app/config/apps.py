"""What the project does once per process."""

import atexit

from django.apps import AppConfig
from django.core.signals import request_started

from config.database import close_pool, hold_open, let_go


class ProjectConfig(AppConfig):
    """The project itself, beside its applications."""

    name = "config"

    def ready(self) -> None:
        """Have what a process keeps of its database opened by its first request, and closed when it ends.

        By its first request, because a server may load the project before it forks, and SQLite's connections do
        not survive that. A pool that is left to the interpreter takes 20 seconds to close.
        """
        request_started.connect(hold_open)
        atexit.register(close_pool)
        atexit.register(let_go)
