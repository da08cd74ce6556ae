"""What the three ways of signing in tell about a user: the same, and little enough to fit into a token."""

from dataclasses import asdict, dataclass
from typing import ClassVar, Self

from accounts.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Who asks, as far as every view may know without asking the database.

    Stands for the row as `request.user` where a token is believed without one.
    """

    is_authenticated: ClassVar = True
    is_active: ClassVar = True

    id: int
    username: str
    role: str

    @classmethod
    def of(cls, user: User) -> Self:
        """Return what there is to tell of a row."""
        return cls(id=user.pk, username=user.username, role=user.role)

    @property
    def pk(self) -> int:
        """The id, as of a row."""
        return self.id

    def as_json(self) -> dict[str, int | str]:
        """Return {"id", "username", "role"}."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """A short-lived access token and the refresh token that buys the next pair, once."""

    access: str
    refresh: str
    expires_in: int

    def as_json(self) -> dict[str, int | str]:
        """Return {"access", "refresh", "expires_in"}; the last one in seconds."""
        return asdict(self)
