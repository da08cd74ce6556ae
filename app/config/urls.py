"""Every address of the project."""

from django.conf import settings
from django.urls import include, path

from accounts import urls as accounts_urls
from accounts.jwt.views import public_keys
from catalogue import urls as catalogue_urls
from lab import urls as lab_urls
from lab import views
from realtime import urls as realtime_urls

urlpatterns = [
    path("healthz", views.health),
    path("readyz", views.ready),
    path(".well-known/jwks.json", public_keys),
    path("api/ping/", views.ping),
    path("api/auth/", include(accounts_urls)),
    path("api/realtime/", include(realtime_urls)),
    path("api/", include(catalogue_urls)),
]
if settings.LAB_IDENTITY:
    urlpatterns.append(path("lab/", include(lab_urls)))

handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
