"""The OpenAPI schema: what drf-spectacular finds, and what it cannot know: how one is refused.

It describes the views made with DRF. Those that are plain functions (the other two ways of signing in, the lab's own)
are described in docs/auth.md.
"""

from typing import Any

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
