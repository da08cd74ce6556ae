"""Signing up, getting, renewing and giving back tokens, and the view that needs one."""

from abc import abstractmethod
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import HttpRequest, JsonResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.generics import CreateAPIView, GenericAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.credentials import REFUSED, REVOKED, change_password, end_everything
from accounts.jwt import tokens
from accounts.jwt.authentication import BearerAuthentication
from accounts.jwt.serializers import (
    CredentialsSerializer,
    LogInSerializer,
    MemberSerializer,
    PairSerializer,
    PasswordSerializer,
    RefreshSerializer,
    SignUpSerializer,
    VerifySerializer,
)
from accounts.limits import TOO_MANY, TooManyAttempts, count_log_in
from accounts.models import User
from accounts.shapes import Member
from config.errors import only_reads


@only_reads
def public_keys(request: HttpRequest) -> JsonResponse:
    """Give the keys that anybody may verify our tokens with (RFC 7517); none while a shared secret signs."""
    return JsonResponse(settings.JWT_KEYS.public())


class _TooMany(APIException):
    status_code = 429
    default_detail = TOO_MANY

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.wait = retry_after_s  # becomes Retry-After


def _count_attempt(request: Request, username: str) -> None:
    """Count an attempt to show this user's password; 429 when there were too many."""
    try:
        count_log_in(request, username)
    except TooManyAttempts as many:
        raise _TooMany(many.retry_after_s) from None


class SignUpView(CreateAPIView):
    """POST {username, email, password}: 201 with the new user."""

    authentication_classes: ClassVar = []
    permission_classes: ClassVar = []
    serializer_class = SignUpSerializer


class _HolderView(GenericAPIView):
    """Only for who holds an access token."""

    authentication_classes: ClassVar = [BearerAuthentication]
    permission_classes: ClassVar = [IsAuthenticated]

    def account(self) -> User:
        """Return the row of who asks, also where tokens are verified without one.

        Raises:
            AuthenticationFailed: there is no such user any longer, or the token was revoked.
        """
        claims = self.request.auth
        found = User.objects.filter(
            pk=self.request.user.id, is_active=True, token_version=claims["ver"]
        ).first()
        if found is None:
            raise AuthenticationFailed(REVOKED)
        return found


class MeView(_HolderView):
    """GET: the user who asks."""

    serializer_class = MemberSerializer

    def get(self, request: Request) -> Response:
        """Answer from the token alone where that is how tokens are verified."""
        who = request.user
        return Response((Member.of(who) if isinstance(who, User) else who).as_json())


class PasswordView(_HolderView):
    """POST {old_password, new_password}: 204, and all tokens and sessions of the user have ended."""

    serializer_class = PasswordSerializer

    @extend_schema(responses={204: None})
    def post(self, request: Request) -> Response:
        """Change it, or say what is wrong by field."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields, user = serializer.validated_data, self.account()
        _count_attempt(request, user.username)
        try:
            change_password(user, old=fields["old_password"], new=fields["new_password"])
        except ValidationError as error:
            raise serializers.ValidationError(error.message_dict) from error
        return Response(status=204)


class LogOutEverywhereView(_HolderView):
    """POST: 204, and all tokens and sessions of the user have ended."""

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """End them."""
        end_everything(self.account())
        return Response(status=204)


class _TokenView(GenericAPIView):
    """Open to everybody: what the body holds is the proof."""

    authentication_classes: ClassVar = []
    permission_classes: ClassVar = []

    def get_authenticate_header(self, request: Request) -> str:
        """Return the challenge; without one a refusal would be 403."""
        return 'Bearer realm="api"'

    def post(self, request: Request) -> Response:
        """Read the body, and answer with what `answer` makes of it; 204 if that is nothing."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        answer = self.answer(request, serializer.validated_data)
        return Response(status=204) if answer is None else Response(answer)

    @abstractmethod
    def answer(self, request: Request, fields: dict[str, Any]) -> dict[str, Any] | None:
        """Return what the answer holds, or refuse."""


@extend_schema(responses=LogInSerializer)
class LogInView(_TokenView):
    """POST {username, password}: 200 with {user, access, refresh, expires_in}."""

    serializer_class = CredentialsSerializer

    def answer(self, request: Request, fields: dict[str, Any]) -> dict[str, Any]:
        """Return a pair; wrong password, unknown and inactive user get the same refusal."""
        _count_attempt(request, fields["username"])
        user = authenticate(request, **fields)
        if user is None:
            raise AuthenticationFailed(REFUSED)
        return {"user": Member.of(user).as_json()} | tokens.issue(user).as_json()


@extend_schema(responses=PairSerializer)
class RefreshView(_TokenView):
    """POST {refresh}: 200 with the next {access, refresh, expires_in}; the one that was sent is spent."""

    serializer_class = RefreshSerializer

    def answer(self, request: Request, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the next pair."""
        return tokens.rotate(fields["refresh"]).as_json()


@extend_schema(responses=OpenApiTypes.OBJECT)
class VerifyView(_TokenView):
    """POST {token}: 200 with {} if the token can be used, else 401."""

    serializer_class = VerifySerializer

    def answer(self, request: Request, fields: dict[str, Any]) -> dict[str, Any]:
        """Return nothing, or refuse."""
        tokens.verify(fields["token"])
        return {}


@extend_schema(responses={204: None})
class LogOutView(_TokenView):
    """POST {refresh}: 204, and no token of its family is good any longer."""

    serializer_class = RefreshSerializer

    def answer(self, request: Request, fields: dict[str, Any]) -> None:
        """End the family."""
        tokens.log_out(fields["refresh"])
