"""Who may do what, by role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission

from accounts.models import Role

if TYPE_CHECKING:  # the views of DRF import this module while they are being imported
    from rest_framework.request import Request
    from rest_framework.views import APIView


class ByRole(BasePermission):
    """Readers read; editors also create and change; admins also delete. Nobody does anything without signing in."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the role of who asks allows the method."""
        if not request.user or not request.user.is_authenticated:
            return False
        if request.method in SAFE_METHODS:
            return True
        allowed = {Role.ADMIN} if request.method == "DELETE" else {Role.ADMIN, Role.EDITOR}
        return request.user.role in allowed
