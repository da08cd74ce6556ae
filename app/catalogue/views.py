"""Lists, details, creation, change and removal.

A list takes the same number of queries, however long its pages are, unless it is asked to be naive.
"""

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue import parameters
from catalogue.idempotency import is_key, once
from catalogue.models import Author, Book, Publisher, Write
from catalogue.serializers import AuthorSerializer, BookSerializer, PublisherSerializer, WritesSerializer
from catalogue.strategies import ALL, Relation, Strategy, books, included_by, strategy_of

KEYS_MAX = 100


class CatalogueViewSet(viewsets.ModelViewSet):
    """GET a page, GET one, POST one, PUT, PATCH and DELETE one.

    A write may carry an Idempotency-Key. The row that is changed or removed stays locked from when it is read, so
    that it cannot come back from a removal at the same moment.
    """

    writes_once = True  # for the schema
    lookup_value_converter = "int"
    pagination_class = parameters.Pages
    filter_backends = [parameters.Filters, parameters.Search, parameters.Ordering]

    def get_queryset(self) -> QuerySet:
        """Return the rows to show, or to lock and change."""
        rows = super().get_queryset()
        return rows if self.request.method in SAFE_METHODS else rows.select_for_update()

    def create(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Answer 201 with the new row."""
        return once(request, partial(super().create, request, *args, **kwargs))

    def update(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Answer 200 with the changed row."""
        return once(request, partial(transaction.atomic(super().update), request, *args, **kwargs))

    def destroy(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Answer 204; 409 while others need the row."""
        return once(request, partial(transaction.atomic(super().destroy), request, *args, **kwargs))


class AuthorViewSet(CatalogueViewSet):
    """Authors; one with books cannot be removed."""

    queryset = Author.objects.all()
    serializer_class = AuthorSerializer
    filterset_class = parameters.AuthorFilter
    search_fields = ["name"]
    ordering_fields = ["id", "name", "born"]


INCLUDE = OpenApiParameter(
    "include",
    {"type": "array", "items": {"type": "string", "enum": list(Relation)}},
    explode=False,
    description="Which relations the rows carry; both unless named, none if empty.",
)
STRATEGY = OpenApiParameter(
    "strategy", enum=list(Strategy), description="How relations are read; without it the best way for each."
)


@extend_schema_view(
    list=extend_schema(parameters=[INCLUDE, STRATEGY]), retrieve=extend_schema(parameters=[INCLUDE, STRATEGY])
)
class BookViewSet(CatalogueViewSet):
    """Books: the author comes by a join, the publishers of a whole page by one more query; or as `strategy` says."""

    queryset = Book.objects.all()
    serializer_class = BookSerializer
    filterset_class = parameters.BookFilter
    search_fields = ["title", "author__name"]
    ordering_fields = ["id", "title", "isbn", "published", "pages", "author"]

    def get_queryset(self) -> QuerySet[Book]:
        """Return the books, read as the parameters say."""
        if self.request.method not in SAFE_METHODS:
            return super().get_queryset()
        asked = self.request.query_params
        return books(strategy_of(asked), included_by(asked))

    def get_serializer_context(self) -> dict[str, Any]:
        """Return what the serializer needs to know: also which relations to show."""
        reads = self.request and self.request.method in SAFE_METHODS
        include = included_by(self.request.query_params) if reads else ALL
        return super().get_serializer_context() | {"include": include}


class PublisherViewSet(CatalogueViewSet):
    """Publishers."""

    queryset = Publisher.objects.all()
    serializer_class = PublisherSerializer
    filterset_class = parameters.PublisherFilter
    search_fields = ["name", "city"]
    ordering_fields = ["id", "name", "city"]


class WritesView(APIView):
    """Which of their writes exist: a client that heard no answer asks by the keys that it sent."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "key",
                {
                    "type": "array",
                    "items": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
                    "minItems": 1,
                    "maxItems": KEYS_MAX,
                },
                required=True,
                description="Keys of the asking user, each as a parameter of its own.",
            )
        ],
        responses=WritesSerializer,
    )
    def get(self, request: Request) -> Response:
        """Answer {"writes": [...]} with those of the keys that are known, in the order in which they were written."""
        keys = request.query_params.getlist("key")
        if not 1 <= len(keys) <= KEYS_MAX or not all(map(is_key, keys)):
            raise ValidationError(
                {"key": [f"Name 1 to {KEYS_MAX} keys, each 1 to 64 of A-Z, a-z, 0-9, _ and -."]}
            )
        found = Write.objects.filter(user_id=request.user.pk, key__in=keys)
        return Response(WritesSerializer({"writes": found}).data)
