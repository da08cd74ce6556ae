"""What the catalogue's views take and give."""

from typing import Any

from django.db import transaction
from rest_framework import serializers

from catalogue.models import Author, Book, Publisher

MAX_PUBLISHERS = 20
LARGEST_ID = 2**63 - 1


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


class BookSerializer(serializers.ModelSerializer):
    """Gives the author and the publishers in full, takes them as `author_id` and `publisher_ids`."""

    author = AuthorReferenceSerializer(read_only=True)
    publishers = PublisherReferenceSerializer(many=True, read_only=True)
    author_id = serializers.PrimaryKeyRelatedField(
        queryset=Author.objects.all(), source="author", write_only=True
    )
    # Not a related field of many: that one asks the database once for each id.
    publisher_ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=LARGEST_ID),
        max_length=MAX_PUBLISHERS,
        write_only=True,
    )

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
