"""A token is verified and one row is read, over a new TCP connection for every request, for minutes."""

from shared.own_profile import OwnProfile


class Leak(OwnProfile):
    """Asks with ``Connection: close``: a server with a thread for each connection begins and ends one each time."""

    keep_alive = False
