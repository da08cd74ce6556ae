"""Addresses under /api/auth/: three ways to sign in, side by side."""

from django.urls import include, path

from accounts.jwt import urls as jwt_urls
from accounts.plain import urls as plain_urls
from accounts.session import urls as session_urls
from accounts.session.views import csrf

urlpatterns = [
    path("csrf/", csrf),
    path("jwt/", include(jwt_urls)),
    path("plain/", include(plain_urls)),
    path("session/", include(session_urls)),
]
