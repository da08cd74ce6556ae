"""A token is verified and one row is read, over kept-alive connections."""

from shared.own_profile import OwnProfile


class Profile(OwnProfile):
    """Keeps its connection as long as the server does."""
