"""Lists, details and creation. Every list takes the same number of queries, however long its pages are."""

from rest_framework import mixins, viewsets

from catalogue.models import Author, Book, Publisher
from catalogue.serializers import AuthorSerializer, BookSerializer, PublisherSerializer


class CatalogueViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, viewsets.GenericViewSet
):
    """GET a page, GET one, POST one."""

    lookup_value_converter = "int"


class AuthorViewSet(CatalogueViewSet):
    """Authors."""

    queryset = Author.objects.all()
    serializer_class = AuthorSerializer


class BookViewSet(CatalogueViewSet):
    """Books: the author comes by a join, the publishers of a whole page by one more query."""

    queryset = Book.objects.select_related("author").prefetch_related("publishers")
    serializer_class = BookSerializer


class PublisherViewSet(CatalogueViewSet):
    """Publishers."""

    queryset = Publisher.objects.all()
    serializer_class = PublisherSerializer
