"""The OpenAPI schema: what drf-spectacular finds, and what it cannot know: how one is refused, and plain functions.

The two ways of signing in without DRF take and give what the one with DRF does, so their routes point to its shapes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import getdoc
from typing import Any

from django.conf import settings
from django.urls import resolve
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

REASONS = {
    400: "A value is wrong; by its name, or as `detail`.",
    401: "No credential, or one that is not good (any longer).",
    403: "Not with this role.",
    404: "There is no such row, or no such page.",
    406: "Only JSON is given.",
    409: "Contradicts what is stored.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "The Idempotency-Key stands for another request.",
    429: "Too many attempts.",
}
REFUSAL = {
    "application/json": {
        "schema": {"type": "object", "properties": {"detail": {"type": "string"}}, "minProperties": 1}
    }
}
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    OpenApiParameter.HEADER,
    description="Names this write: sent again, it is answered as the first time and not done again.",
)
CSRF_TOKEN = {
    "name": "X-CSRFToken",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9]{64}$"},
    "description": "What /api/auth/csrf/ handed out, together with its cookie.",
}
CSRF_REFUSED = "Without the CSRF token that belongs to the cookie."
TEXT = {"type": "string"}


class Schema(AutoSchema):
    """One operation, with its refusals."""

    def get_override_parameters(self) -> list[OpenApiParameter]:
        """Return what every write takes that is done once."""
        return [IDEMPOTENCY_KEY] if self._writes_once() else []

    def get_operation(self, *args: Any) -> dict[str, Any] | None:  # noqa: ANN401 - as the base class
        """Return the operation as the schema shows it."""
        operation = super().get_operation(*args)
        if operation:
            for status in self._refusals(operation):
                refusal = {"description": REASONS[status], "content": REFUSAL}
                operation["responses"].setdefault(str(status), refusal)
        return operation

    def _refusals(self, operation: dict[str, Any]) -> list[int]:
        found = [400, 401, 404, 406]
        if self.view.permission_classes:
            found.append(403)
        if "requestBody" in operation:
            found += [413, 415]
        if self._writes_once():
            found += [409, 422]
        elif self.method == "POST":
            found.append(429)
        return found

    def _writes_once(self) -> bool:
        return getattr(self.view, "writes_once", False) and self.method != "GET"


def optional_relations(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Return the schema with books that need not carry their relations: `?include=` leaves them out."""
    book = result["components"]["schemas"]["Book"]
    book["required"] = [name for name in book["required"] if name not in {"author", "publishers"}]
    return result


def with_plain_routes(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Return the schema with the routes that drf-spectacular does not see, because they are not made with DRF."""
    for path, route in _plain_routes().items():
        result["paths"][path] = {route.method: route.operation(path)}
    result["paths"] = dict(sorted(result["paths"].items()))
    result["components"]["securitySchemes"]["plain"] = {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
    }
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """One method of a route: what it takes and gives, whom it wants to know, and how it refuses."""

    method: str = "post"
    status: int = 200
    takes: str | None = None
    gives: Mapping[str, Any] | None = None
    media_type: str = "application/json"
    credential: str | None = None
    checks_csrf: bool = False
    refuses: tuple[int, ...] = ()
    about: str = ""

    def operation(self, path: str) -> dict[str, Any]:
        """Return the operation as the schema shows it, described in the words of its view unless it has its own."""
        words = path.strip("/.").replace("-", "_").replace(".", "").removeprefix("api/").split("/")
        found: dict[str, Any] = {
            "operationId": "_".join([*words, "create" if self.method == "post" else "retrieve"]),
            "description": self.about or getdoc(resolve(path).func) or "",
            "tags": [words[0]],
            "responses": self._answers(),
        }
        if self.checks_csrf:
            found["parameters"] = [CSRF_TOKEN]
        if self.takes:
            content = {"application/json": {"schema": _shape(self.takes)}}
            found["requestBody"] = {"content": content, "required": True}
        if self.credential:
            found["security"] = [{self.credential: []}]
        return found

    def _answers(self) -> dict[str, Any]:
        answer: dict[str, Any] = {"description": ""}
        if self.gives is not None:
            answer["content"] = {self.media_type: {"schema": self.gives}}
        statuses = {400, *self.refuses}
        statuses |= {413} if self.method == "post" else set()
        statuses |= {415} if self.takes else set()
        statuses |= {401} if self.credential else set()
        refusals = {
            str(status): {"description": REASONS[status], "content": REFUSAL} for status in sorted(statuses)
        }
        if self.checks_csrf:
            refusals["403"] = {"description": CSRF_REFUSED, "content": REFUSAL}
        return {str(self.status): answer} | refusals


def _plain_routes() -> dict[str, _Route]:
    routes = {
        "/.well-known/jwks.json": _Route(
            method="get", gives=_object(keys=_list_of(_object(kty=TEXT, kid=TEXT)))
        ),
        "/api/ping/": _Route(method="get", gives=_object(ping=TEXT)),
        "/api/schema/": _Route(
            method="get",
            gives=_object(),
            media_type="application/vnd.oai.openapi+json",
            refuses=(406,),
            about="This description, as OpenAPI; only where the lab's own views are switched on.",
        ),
        "/api/docs/": _Route(
            method="get",
            gives=TEXT,
            media_type="text/html",
            refuses=(406,),
            about="This description as a page; only where the lab's own views are switched on.",
        ),
        "/api/auth/csrf/": _Route(method="get", gives=_object(csrf_token=TEXT)),
    }
    routes |= {f"/api/auth/session/{name}/": route for name, route in _session_routes().items()}
    return routes | {f"/api/auth/plain/{name}/": route for name, route in _token_routes().items()}


def _session_routes() -> dict[str, _Route]:
    return _account_routes(
        login=_object(user=_shape("Member")), logout_takes=None, credential="cookieAuth", checks_csrf=True
    )


def _token_routes() -> dict[str, _Route]:
    """Return the routes of the plain way; with cookies no token is in any body."""
    cookies = settings.PLAIN_TOKENS == "cookie"
    in_cookies = _object(expires_in={"type": "integer"})
    refresh = None if cookies else "RefreshRequest"
    routes = _account_routes(
        login=_object(user=_shape("Member"), **in_cookies["properties"]) if cookies else _shape("LogIn"),
        logout_takes=refresh,
        credential="plain-cookie" if cookies else "plain",
        checks_csrf=cookies,
    )
    pair = in_cookies if cookies else _shape("Pair")
    return routes | {
        "refresh": _Route(takes=refresh, gives=pair, checks_csrf=cookies, refuses=(401,)),
        "verify": _Route(takes="VerifyRequest", gives=_object(), checks_csrf=cookies, refuses=(401,)),
    }


def _account_routes(
    *, login: Mapping[str, Any], logout_takes: str | None, credential: str, checks_csrf: bool
) -> dict[str, _Route]:
    def ending(takes: str | None, *refuses: int) -> _Route:
        return _Route(
            status=204, takes=takes, credential=credential, checks_csrf=checks_csrf, refuses=refuses
        )

    return {
        "signup": _Route(status=201, takes="SignUpRequest", gives=_shape("SignUp"), checks_csrf=checks_csrf),
        "login": _Route(takes="CredentialsRequest", gives=login, checks_csrf=checks_csrf, refuses=(401, 429)),
        "me": _Route(method="get", gives=_shape("Member"), credential=credential),
        "logout": ending(logout_takes),
        "logout-everywhere": ending(None),
        "password": ending("PasswordRequest", 429),
    }


def _shape(name: str) -> dict[str, Any]:
    """Return a pointer to what a serializer describes."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": properties}
    return found | ({"required": sorted(properties)} if properties else {})


def _list_of(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}
