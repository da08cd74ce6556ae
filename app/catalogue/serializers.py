"""What the catalogue's views take and give."""

from typing import Any

from django.db import transaction
from rest_framework import serializers

from catalogue.models import Author, Book, Publisher, Write
from catalogue.parameters import LARGEST_ID
from catalogue.strategies import ALL

MAX_PUBLISHERS = 20


class AuthorSerializer(serializers.ModelSerializer):
    """{id, name, born}."""

    class Meta:
        model = Author
        fields = ["id", "name", "born"]


class PublisherSerializer(serializers.ModelSerializer):
    """{id, name, city}."""

    class Meta:
        model = Publisher
        fields = ["id", "name", "city"]


class AuthorReferenceSerializer(serializers.ModelSerializer):
    """{id, name} within a book."""

    class Meta:
        model = Author
        fields = ["id", "name"]


class PublisherReferenceSerializer(serializers.ModelSerializer):
    """{id, name} within a book."""

    class Meta:
        model = Publisher
        fields = ["id", "name"]


class IdField(serializers.IntegerField):
    """The id of a row. Not a related field: that one reads 1.5 as 1, and fails for what is infinite."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - as the field takes them
        """A field that takes what a database can hold."""
        super().__init__(min_value=1, max_value=LARGEST_ID, **options)


class PublisherIdsField(serializers.ListField):
    """Ids of at most 20 publishers. Not a related field of many: that one asks the database once for each id."""

    child = IdField()

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - as the field takes them
        """A field with its bound, which the schema shows."""
        super().__init__(max_length=MAX_PUBLISHERS, **options)

    def to_internal_value(self, data: Any) -> list[int]:  # noqa: ANN401 - JSON may be anything
        """Return the ids; too many are refused before any of them is looked at."""
        if isinstance(data, list) and len(data) > MAX_PUBLISHERS:
            raise serializers.ValidationError(f"At most {MAX_PUBLISHERS} publishers.")
        return super().to_internal_value(data)


class BookSerializer(serializers.ModelSerializer):
    """Gives the author and the publishers in full, takes them as `author_id` and `publisher_ids`.

    Relations that the context's `include` does not name are not given, and so not asked for.
    """

    author = AuthorReferenceSerializer(read_only=True)
    publishers = PublisherReferenceSerializer(many=True, read_only=True)
    author_id = IdField(source="author", write_only=True)
    publisher_ids = PublisherIdsField(write_only=True)

    class Meta:
        model = Book
        fields = [
            "id",
            "title",
            "isbn",
            "published",
            "pages",
            "author",
            "publishers",
            "author_id",
            "publisher_ids",
        ]

    def get_fields(self) -> dict[str, serializers.Field]:
        """Return the fields without the relations that are not wanted."""
        unwanted = ALL - self.context.get("include", ALL)
        return {name: field for name, field in super().get_fields().items() if name not in unwanted}

    def validate_author_id(self, author_id: int) -> Author:
        """Return the author."""
        author = Author.objects.filter(pk=author_id).first()
        if author is None:
            raise serializers.ValidationError(f"No author has the id {author_id}.")
        return author

    def validate_publisher_ids(self, ids: list[int]) -> list[Publisher]:
        """Return the publishers of the ids, all of them found by one query."""
        found = Publisher.objects.in_bulk(ids)
        missing = sorted(set(ids) - found.keys())
        if missing:
            raise serializers.ValidationError(f"No publisher has the id {', '.join(map(str, missing))}.")
        return list(found.values())

    @transaction.atomic
    def create(self, validated_data: dict[str, Any]) -> Book:
        """Return the new book together with its publishers, or leave nothing behind."""
        publishers = validated_data.pop("publisher_ids")
        book = Book.objects.create(**validated_data)
        book.publishers.set(publishers)
        return book

    @transaction.atomic
    def update(self, instance: Book, validated_data: dict[str, Any]) -> Book:
        """Return the changed book; its publishers change only if they are named."""
        publishers = validated_data.pop("publisher_ids", None)
        book = super().update(instance, validated_data)
        if publishers is not None:
            book.publishers.set(publishers)
        return book


class WriteSerializer(serializers.ModelSerializer):
    """{key, status, method, path, created_at}."""

    class Meta:
        model = Write
        fields = ["key", "status", "method", "path", "created_at"]


class WritesSerializer(serializers.Serializer):
    """{writes: [...]}."""

    writes = WriteSerializer(many=True, read_only=True)
