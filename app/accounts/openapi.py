"""How the schema (OpenAPI) names what our views take as credentials."""

from typing import Any, ClassVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from accounts.plain.decorators import ACCESS_COOKIE


class _JwtScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.jwt.authentication.BearerAuthentication"
    name = "jwt"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class _EitherScheme(_JwtScheme):
    target_class = "accounts.authentication.EitherToken"
    name = "jwt-or-plain"


class _PlainCookieScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.PlainCookie"
    name = "plain-cookie"
    priority: ClassVar = 1  # before that of the session, whose authentication it extends

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": ACCESS_COOKIE}
