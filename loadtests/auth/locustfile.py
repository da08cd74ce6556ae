"""The same question, "who am I", asked without a credential and with each kind of it; and the log-in itself.

The parameter ``way`` chooses one of these users; without it, as on Locust's page, there are all of them.
"""

from locust import task

from shared.answers import Expected
from shared.own_profile import OwnProfile
from shared.sessions import SessionMember
from shared.users import PASSWORD, SETTINGS, TOKENS, Visitor, username_of

PONG = Expected(start=b'{"ping"', part=b'"pong"')


class Anonymous(Visitor):
    """Is not asked who it is: what the rest costs without a credential."""

    @task
    def ping(self) -> None:
        """One GET."""
        self.ask("GET", "/api/ping/", expect=PONG)


class WithSession(SessionMember):
    """Is known by its session cookie."""

    def prepare(self) -> None:
        """Log in, and know whose profile to expect."""
        super().prepare()
        self.own_profile = Expected(start=b"{", part=f'"{self.username}"'.encode())

    @task
    def profile(self) -> None:
        """One GET."""
        self.ask("GET", "/api/auth/session/me/", expect=self.own_profile)


class WithJWT(OwnProfile):
    """Is known by a token of DRF's way."""


class WithPlainToken(OwnProfile):
    """Is known by a token of the way without DRF."""

    way = "plain"


class LogsIn(Visitor):
    """Signs in again and again, without any credential but username and password."""

    @task
    def log_in(self) -> None:
        """One POST for two tokens."""
        account = {"username": username_of(self), "password": PASSWORD}
        self.ask("POST", "/api/auth/jwt/login/", content=account, expect=TOKENS)


WAYS = {
    "none": Anonymous,
    "session": WithSession,
    "jwt": WithJWT,
    "plain": WithPlainToken,
    "log-in": LogsIn,
}


def choose(way: str) -> None:
    """Leave only the user of that way to Locust, or ``all``."""
    for name, user in WAYS.items():
        user.abstract = way not in ("all", name)


choose(SETTINGS.parameter("way", ("all", *WAYS)))
