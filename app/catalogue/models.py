"""Authors, books and publishers."""

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
