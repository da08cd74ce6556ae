"""A member who looks at its own profile, again and again: a token is verified and one row is read."""

from locust import task

from shared.answers import Expected
from shared.users import Member


class OwnProfile(Member):
    """Asks for its own profile and for nothing else."""

    abstract = True

    def prepare(self) -> None:
        """Log in, and know whose profile to expect."""
        super().prepare()
        self.own_profile = Expected(start=b"{", part=f'"{self.username}"'.encode())

    @task
    def profile(self) -> None:
        """One GET."""
        self.ask("GET", f"/api/auth/{self.way}/me/", expect=self.own_profile)
