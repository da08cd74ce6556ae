"""Who asks with a session cookie, as a browser does it."""

import json
from http.cookies import SimpleCookie

from gevent import Timeout

from shared.line import BREAKS
from shared.users import JSON, PASSWORD, SETTINGS, SetupFailedError, Visitor, username_of


class SessionMember(Visitor):
    """Asks with the cookies of one of the seeded users, who signed in before the trial."""

    abstract = True

    def prepare(self) -> None:
        """Ask for the CSRF token and log in with it; the cookies are kept from then on.

        Raises:
            SetupFailedError: no session.
        """
        self.username, self.cookies = username_of(self), SimpleCookie()
        try:
            token = json.loads(self._exchange("GET", "/api/auth/csrf/"))["csrf_token"]
            account = json.dumps({"username": self.username, "password": PASSWORD}).encode()
            self._exchange(
                "POST", "/api/auth/session/login/", body=account, headers=JSON | {"X-CSRFToken": token}
            )
        except BREAKS as broken:
            raise SetupFailedError(f"no session for {self.username} from {self.host}: {broken!r}") from None

    def _exchange(
        self, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        """The body of a right answer, whose cookies are sent with every request that follows."""
        with Timeout(SETTINGS.timeout_s):
            response = self.line.request(method, path, body=body, headers=self.headers | (headers or {}))
            answer: bytes = response.read()
        if response.status_code != 200:
            raise SetupFailedError(f"no session for {self.username}: {path} answered {response.status_code}")
        for name, value in response.items():
            if name.lower() == "set-cookie":
                self.cookies.load(value)
        sent = "; ".join(f"{name}={cookie.value}" for name, cookie in self.cookies.items())
        self.headers = self.headers | {"Cookie": sent}
        return answer
