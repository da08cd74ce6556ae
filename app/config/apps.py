"""What the project does once per process."""

import atexit

from django.apps import AppConfig

from config.database import close_pool


class ProjectConfig(AppConfig):
    """The project itself, beside its applications."""

    name = "config"

    def ready(self) -> None:
        """Have the pool closed when the process ends; left to the interpreter that takes 20 seconds."""
        atexit.register(close_pool)
