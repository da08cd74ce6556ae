"""How DRF's views learn from a token who asks."""

from typing import Any

from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts.jwt import tokens
from accounts.models import User
from accounts.shapes import Member


class BearerAuthentication(JWTAuthentication):
    """Reads `Authorization: Bearer <access token>`; anything wrong with it is 401, never a server error."""

    def authenticate(self, request: Request) -> tuple[User | Member, dict[str, Any]] | None:
        """Return who asks and the token's claims; None without such a header, so that others may look."""
        header = self.get_header(request)
        raw = None if header is None else self.get_raw_token(header)
        return None if raw is None else tokens.reader_of(raw)

    def get_raw_token(self, header: bytes) -> bytes | None:
        """Return what follows the scheme, which may be written in any case (RFC 9110, section 11.1)."""
        scheme, *rest = header.split() or [b""]
        if scheme.lower() != b"bearer":
            return None
        if len(rest) != 1:
            raise AuthenticationFailed("Write: Authorization: Bearer <token>")
        return rest[0]
