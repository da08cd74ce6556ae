"""Every address of the project."""

from django.conf import settings
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from accounts import urls as accounts_urls
from accounts.jwt.views import public_keys
from catalogue import urls as catalogue_urls
from lab import fault_urls, views
from lab import urls as lab_urls
from page import urls as page_urls
from realtime import urls as realtime_urls

urlpatterns = [
    path("healthz", views.health),
    path("readyz", views.ready),
    path(".well-known/jwks.json", public_keys),
    path("api/ping/", views.ping),
    path("api/auth/", include(accounts_urls)),
    path("api/realtime/", include(realtime_urls)),
    path("api/", include(catalogue_urls)),
    path("", include(page_urls)),
]
if settings.LAB_IDENTITY:
    urlpatterns += [
        path("lab/", include(lab_urls)),
        path("api/schema/", SpectacularJSONAPIView.as_view(), name="schema"),
        path(
            "api/docs/",
            SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="lab/docs.html"),
        ),
    ]
if settings.LAB_FAULTS:
    urlpatterns.append(path("lab/", include(fault_urls)))

handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
