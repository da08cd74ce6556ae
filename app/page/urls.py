"""Addresses of the page and its files."""

from django.urls import path

from page.views import page_file

urlpatterns = [
    path("", page_file),
    path("site/<str:name>", page_file),
]
