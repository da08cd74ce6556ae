"""Addresses of authors, books, publishers and writes under /api/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from catalogue import views

router = SimpleRouter(use_regex_path=False)
router.register("authors", views.AuthorViewSet)
router.register("books", views.BookViewSet)
router.register("publishers", views.PublisherViewSet)

urlpatterns = [*router.urls, path("writes/", views.WritesView.as_view())]
