"""Authors, books and publishers, and what was written under which key."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models


class Author(models.Model):
    """Who wrote books."""

    name = models.CharField(max_length=200)
    born = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(2100)])

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class Publisher(models.Model):
    """Who brought books out."""

    name = models.CharField(max_length=200)
    city = models.CharField(max_length=200)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class Book(models.Model):
    """A book by one author, brought out by any number of publishers."""

    title = models.CharField(max_length=300)
    isbn = models.CharField(max_length=13, unique=True, validators=[RegexValidator(r"\A[0-9]{13}\Z")])
    published = models.DateField()
    pages = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(100_000)])
    author = models.ForeignKey(Author, on_delete=models.PROTECT, related_name="books")
    publishers = models.ManyToManyField(Publisher, related_name="books")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.title


class Write(models.Model):
    """A write that was acknowledged, under the key that its sender gave it, with its answer."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="writes")
    key = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=64)
    method = models.CharField(max_length=6)
    path = models.TextField()
    status = models.PositiveSmallIntegerField()
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_write_per_key_of_a_user")]

    def __str__(self) -> str:
        return self.key
