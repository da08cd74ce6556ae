"""Addresses under /api/auth/plain/."""

from django.urls import path

from accounts.plain import views

urlpatterns = [
    path("signup/", views.sign_up),
    path("login/", views.log_in),
    path("refresh/", views.refresh),
    path("verify/", views.verify),
    path("me/", views.me),
    path("logout/", views.log_out),
    path("logout-everywhere/", views.log_out_everywhere),
    path("password/", views.password),
]
