"""What the lab writes while it breaks things: entries of its ledger, and requests that carried a marker."""

from django.db import models
from django.db.models import Q


class Entry(models.Model):
    """A write under the UUID that its sender chose; a guarded one is there once, however often it is sent."""

    key = models.UUIDField(db_index=True)
    guarded = models.BooleanField(default=True)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=Q(guarded=True), name="one_guarded_entry_per_key"
            )
        ]

    def __str__(self) -> str:
        return str(self.key)


class EntryChild(models.Model):
    """One of the two rows that belong to an entry and are written in its transaction."""

    entry = models.ForeignKey(Entry, on_delete=models.CASCADE, related_name="children")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return str(self.pk)


class Echo(models.Model):
    """A request that carried a marker and reached the app; ``body_bytes`` is None where its body was not read."""

    marker = models.CharField(max_length=64, db_index=True)
    method = models.CharField(max_length=64)
    path = models.TextField()
    body_bytes = models.PositiveBigIntegerField(null=True)
    body_sha256 = models.CharField(max_length=64, blank=True)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.marker
