"""Addresses under /lab/, present only when the lab switches them on."""

from django.urls import path

from lab import views

urlpatterns = [
    path("identity", views.identity),
    path("wait", views.wait),
]
