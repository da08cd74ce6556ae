"""A token is verified and one row is read, over a new TCP connection for every request."""

from shared.own_profile import OwnProfile


class ProfileClose(OwnProfile):
    """Asks with ``Connection: close``, and closes even if the server would not."""

    keep_alive = False
