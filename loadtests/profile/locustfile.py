"""A token is verified and one row is read."""

from locust import task

from shared.answers import Expected
from shared.users import Member


class Profile(Member):
    """Asks for its own profile, again and again."""

    def prepare(self) -> None:
        """Log in, and know whose profile to expect."""
        super().prepare()
        self.own_profile = Expected(start=b"{", part=f'"{self.username}"'.encode())

    @task
    def profile(self) -> None:
        """One GET."""
        self.ask("GET", "/api/auth/profile/", expect=self.own_profile)
