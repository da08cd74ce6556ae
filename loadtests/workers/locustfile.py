"""A token is verified and one row is read, by servers with more and more worker processes."""

from shared.own_profile import OwnProfile


class Workers(OwnProfile):
    """Keeps its connection as long as the server does."""
