"""Addresses under /api/auth/."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("signup/", views.SignUpView.as_view()),
    path("token/", views.ObtainView.as_view()),
    path("token/refresh/", views.RefreshView.as_view()),
    path("token/verify/", views.VerifyView.as_view()),
    path("profile/", views.ProfileView.as_view()),
]
