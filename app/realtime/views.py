"""The address at which a credential is exchanged for a ticket."""

from typing import ClassVar

from django.conf import settings
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from realtime import tickets
from realtime.credentials import Credential


class TicketSerializer(serializers.Serializer):
    """{ticket, expires_in}; the latter in seconds."""

    ticket = serializers.CharField(read_only=True)
    expires_in = serializers.IntegerField(read_only=True)


class TicketView(GenericAPIView):
    """POST: 201 with a ticket that opens one WebSocket; 404 where this server has no feed."""

    permission_classes: ClassVar = [IsAuthenticated]
    serializer_class = TicketSerializer

    @extend_schema(request=None, responses={201: TicketSerializer})
    def post(self, request: Request) -> Response:
        """Answer from the row: a token that is believed without one may be revoked."""
        if not settings.REALTIME:
            raise Http404
        credential = Credential.of(request)
        if credential.holder() is None:
            raise AuthenticationFailed("The credential is revoked, or has no active user.")
        ticket = {"ticket": tickets.issue(credential), "expires_in": tickets.LIFETIME_S}
        return Response(ticket, status=201, headers={"Cache-Control": "no-store"})
