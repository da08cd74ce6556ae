"""Signing up, getting tokens, and the profile that needs one."""

from abc import abstractmethod
from typing import Any

from django.contrib.auth import authenticate
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.generics import CreateAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from accounts import tokens
from accounts.models import User
from accounts.serializers import (
    CredentialsSerializer,
    ProfileSerializer,
    RefreshSerializer,
    SignUpSerializer,
    VerifySerializer,
)


class SignUpView(CreateAPIView):
    """POST {username, email, password}: 201 with the new user."""

    authentication_classes = []
    permission_classes = []
    serializer_class = SignUpSerializer


class ProfileView(RetrieveAPIView):
    """GET with a bearer token: the user who asks."""

    serializer_class = ProfileSerializer

    def get_object(self) -> User:
        """Return the user of the token."""
        return self.request.user


class _TokenView(APIView):
    """Open to everybody: what the body holds is the proof."""

    authentication_classes = []
    permission_classes = []
    serializer_class: type[Serializer]

    def get_authenticate_header(self, request: Request) -> str:
        """Return the challenge; without one a refusal would be 403."""
        return 'Bearer realm="api"'

    def finalize_response(
        self, request: Request, response: Response, *args: object, **kwargs: object
    ) -> Response:
        """Keep tokens out of every cache."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final["Cache-Control"] = "no-store"
        return final

    def post(self, request: Request) -> Response:
        serializer = self.serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(self.answer(request, serializer.validated_data))

    @abstractmethod
    def answer(self, request: Request, fields: dict[str, Any]) -> dict[str, str]:
        """Return what the answer holds, or refuse."""


class ObtainView(_TokenView):
    """POST {username, password}: 200 with {access, refresh}."""

    serializer_class = CredentialsSerializer

    def answer(self, request: Request, fields: dict[str, Any]) -> dict[str, str]:
        """Return a pair; wrong password, unknown and inactive user get the same refusal."""
        user = authenticate(request, **fields)
        if user is None:
            raise AuthenticationFailed("No active account has these credentials.")
        return tokens.issue(user).as_json()


class RefreshView(_TokenView):
    """POST {refresh}: 200 with the next {access, refresh}; the one that was sent is spent."""

    serializer_class = RefreshSerializer

    def answer(self, request: Request, fields: dict[str, Any]) -> dict[str, str]:
        """Return the next pair."""
        return tokens.rotate(fields["refresh"]).as_json()


class VerifyView(_TokenView):
    """POST {token}: 200 with {} if the token can be used, else 401."""

    serializer_class = VerifySerializer

    def answer(self, request: Request, fields: dict[str, Any]) -> dict[str, str]:
        """Return nothing, or refuse."""
        tokens.verify(fields["token"])
        return {}
