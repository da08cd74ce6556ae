"""What this application registers with others."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """The accounts, and the three ways of signing in."""

    name = "accounts"

    def ready(self) -> None:
        """Have the schema know our credentials; it learns of them when their module is imported."""
        from accounts import openapi  # noqa: F401, PLC0415 - models have to be there first
