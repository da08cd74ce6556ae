"""What lists may be asked for: every value of a known parameter is checked, and a wrong one is refused by name."""

from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.db import models
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from catalogue.models import Author, Book, Publisher

PAGE_SIZE = 20
PAGE_SIZE_MAX = 500
LARGEST_ID = 2**63 - 1
SEARCH_MAX_LENGTH = 100  # each word is one more condition for the database, which has a limit
RANGE = ["exact", "gte", "lte"]


class Pages(PageNumberPagination):
    """`?page=` from 1, `?page_size=` from 1 to 500; anything else is 400, a page beyond the last one 404."""

    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = PAGE_SIZE_MAX

    def get_page_size(self, request: Request) -> int:
        """Return how many rows a page has."""
        return _whole_number(request, self.page_size_query_param, default=PAGE_SIZE, largest=PAGE_SIZE_MAX)

    def get_page_number(self, request: Request, paginator: Paginator) -> int:
        """Return which page is wanted."""
        return _whole_number(request, self.page_query_param, default=1, largest=LARGEST_ID)

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Return both parameters for the schema, with their bounds."""
        bounds = {"page": LARGEST_ID, "page_size": PAGE_SIZE_MAX}
        return [
            parameter | {"schema": {"type": "integer", "minimum": 1, "maximum": bounds[parameter["name"]]}}
            for parameter in super().get_schema_operation_parameters(view)
        ]


def _whole_number(request: Request, name: str, *, default: int, largest: int) -> int:
    asked = request.query_params.get(name)
    if asked is None:
        return default
    if (
        asked.isascii()
        and asked.isdecimal()
        and len(asked) <= len(str(largest))
        and 1 <= int(asked) <= largest
    ):
        return int(asked)
    raise ValidationError({name: [f"Must be a whole number from 1 to {largest}."]})


class Search(SearchFilter):
    """`?search=`: rows in which every word occurs, in any of the view's `search_fields`."""

    def get_search_terms(self, request: Request) -> list[str]:
        """Return the words."""
        if len(request.query_params.get(self.search_param, "")) > SEARCH_MAX_LENGTH:
            raise ValidationError(
                {"search": [f"At most {SEARCH_MAX_LENGTH} characters can be searched for."]}
            )
        try:
            return super().get_search_terms(request)
        except ValidationError as error:
            raise ValidationError({"search": error.detail}) from error

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Return the parameter for the schema, with its bound."""
        bound = {"schema": {"type": "string", "maxLength": SEARCH_MAX_LENGTH}}
        return [parameter | bound for parameter in super().get_schema_operation_parameters(view)]


class Ordering(OrderingFilter):
    """`?ordering=title,-published`: the view's `ordering_fields`; equal rows by id, so that pages do not overlap."""

    def get_ordering(self, request: Request, queryset: QuerySet, view: APIView) -> list[str] | None:
        """Return the columns, None for the model's own order."""
        asked = request.query_params.get(self.ordering_param)
        if asked is None:
            return None
        columns = asked.split(",")
        names = [column.removeprefix("-") for column in columns]
        if not set(names) <= set(view.ordering_fields) or len(set(names)) < len(names):
            known = ", ".join(view.ordering_fields)
            raise ValidationError(
                {"ordering": [f"Must be some of {known}, each once, with - to turn it round."]}
            )
        return columns if "id" in names else [*columns, "id"]

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Return the parameter for the schema, with every word that it may consist of."""
        column = f"-?({'|'.join(view.ordering_fields)})"
        bound = {"schema": {"type": "string", "pattern": f"^{column}(,{column})*$"}}
        return [parameter | bound for parameter in super().get_schema_operation_parameters(view)]


class Filters(filters.DjangoFilterBackend):
    """The view's filters, made only for a request that uses one: to make them costs more than a short query."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> QuerySet:
        """Return the rows that fit every filter in the query string."""
        if request.query_params.keys() & view.filterset_class.base_filters.keys():
            return super().filter_queryset(request, queryset, view)
        return queryset


@extend_schema_field({"type": "integer", "minimum": 0, "maximum": LARGEST_ID})
class WholeNumberFilter(filters.Filter):
    """A number that a column of whole numbers can be compared with."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as the filter takes them
        """A filter with bounds."""
        super().__init__(*args, min_value=0, max_value=LARGEST_ID, **options)


NUMBERS = {
    model: {"filter_class": WholeNumberFilter}
    for model in (models.PositiveIntegerField, models.PositiveSmallIntegerField)
}


class AuthorFilter(filters.FilterSet):
    """Authors by name or year of birth."""

    class Meta:
        model = Author
        fields = {"name": ["exact"], "born": RANGE}
        filter_overrides = NUMBERS


class BookFilter(filters.FilterSet):
    """Books by their own columns, their author or one of their publishers; an id that nobody has finds nothing."""

    author = WholeNumberFilter()
    publishers = WholeNumberFilter()

    class Meta:
        model = Book
        fields = {"title": ["exact"], "isbn": ["exact"], "published": RANGE, "pages": RANGE}
        filter_overrides = NUMBERS


class PublisherFilter(filters.FilterSet):
    """Publishers by name or city."""

    class Meta:
        model = Publisher
        fields = {"name": ["exact"], "city": ["exact"]}
