"""Addresses under /api/auth/jwt/."""

from django.urls import path

from accounts.jwt import views

urlpatterns = [
    path("signup/", views.SignUpView.as_view()),
    path("login/", views.LogInView.as_view()),
    path("refresh/", views.RefreshView.as_view()),
    path("verify/", views.VerifyView.as_view()),
    path("me/", views.MeView.as_view()),
    path("logout/", views.LogOutView.as_view()),
    path("logout-everywhere/", views.LogOutEverywhereView.as_view()),
    path("password/", views.PasswordView.as_view()),
]
