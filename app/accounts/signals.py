"""What others may want to know about accounts."""

from django.dispatch import Signal

credentials_ended = Signal()
"""Sent with `user_id` when some or all tokens or sessions of a user have ended before their time."""
