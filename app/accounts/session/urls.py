"""Addresses under /api/auth/session/."""

from django.urls import path

from accounts.session import views

urlpatterns = [
    path("signup/", views.sign_up),
    path("login/", views.log_in),
    path("me/", views.me),
    path("logout/", views.log_out),
    path("logout-everywhere/", views.log_out_everywhere),
    path("password/", views.password),
]
