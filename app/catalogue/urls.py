"""Addresses of authors, books and publishers under /api/."""

from rest_framework.routers import SimpleRouter

from catalogue import views

router = SimpleRouter(use_regex_path=False)
router.register("authors", views.AuthorViewSet)
router.register("books", views.BookViewSet)
router.register("publishers", views.PublisherViewSet)

urlpatterns = router.urls
