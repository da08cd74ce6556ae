"""What changes an account, the same for all three ways of signing in."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from accounts.models import User
from accounts.signals import credentials_ended

REFUSED = "No active account has these credentials."
INVALID = "The token is invalid or expired."
SPENT = "The token was used already."
REVOKED = "The token is revoked, or has no active user."
PASSWORD_MAX_LENGTH = 1024  # long enough for any pass phrase, short enough to hash


def change_password(user: User, *, old: str, new: str) -> None:
    """Give the user a new password; every token and every session of the user ends.

    Raises:
        ValidationError: the old one is wrong, or the new one is not good enough; by field.
    """
    if not user.check_password(old):
        raise ValidationError({"old_password": ["This is not the password."]})
    try:
        validate_password(new, user)
    except ValidationError as error:
        raise ValidationError({"new_password": error.messages}) from error
    with transaction.atomic():
        user.set_password(new)
        user.save(update_fields=["password"])
        end_everything(user)


def end_everything(user: User) -> None:
    """End every token and every session of the user, whichever way they were made."""
    User.objects.filter(pk=user.pk).update(
        token_version=F("token_version") + 1, refresh_token_hash=None, refresh_family=None
    )
    user.refresh_from_db(fields=["token_version", "refresh_token_hash", "refresh_family"])
    credentials_ended.send(User, user_id=user.pk)
