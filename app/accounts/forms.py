"""What the ways without DRF take, and how they refuse it."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from accounts.credentials import PASSWORD_MAX_LENGTH
from accounts.limits import TOO_MANY, TooManyAttempts, count_log_in
from accounts.models import User
from config.plainjson import Refusal, fields_of, refused


class _PasswordField(forms.CharField):
    def __init__(self) -> None:
        super().__init__(max_length=PASSWORD_MAX_LENGTH, strip=False)


class LogInForm(forms.Form):
    """Takes username and password."""

    username = forms.CharField(max_length=150, strip=False)
    password = _PasswordField()


class PasswordForm(forms.Form):
    """Takes the password and its successor."""

    old_password = _PasswordField()
    new_password = _PasswordField()


class RefreshForm(forms.Form):
    """Takes a refresh token."""

    refresh = forms.CharField(strip=False)


class VerifyForm(forms.Form):
    """Takes a token of either kind."""

    token = forms.CharField(strip=False)


class SignUpForm(forms.ModelForm):
    """Takes username, email and password."""

    email = forms.EmailField(max_length=254)
    password = _PasswordField()

    class Meta:
        model = User
        fields = ("username", "email", "password")

    def clean(self) -> dict[str, Any]:
        """Hold the password against the validators, which also compare it with the name and the address."""
        fields = super().clean() or {}
        if "password" in fields:
            known = {name: fields.get(name, "") for name in ("username", "email")}
            try:
                validate_password(fields["password"], User(**known))
            except forms.ValidationError as error:
                self.add_error("password", error)
        return fields


def count_attempt(request: HttpRequest, username: str) -> None:
    """Count an attempt to show this user's password.

    Raises:
        Refusal: 429, there were too many.
    """
    try:
        count_log_in(request, username)
    except TooManyAttempts as many:
        after = {"Retry-After": str(many.retry_after_s)}
        raise refused(429, TOO_MANY, headers=after) from None


def new_account(request: HttpRequest) -> User:
    """Return the new user, a reader, of a request to sign up.

    Raises:
        Refusal: 400, by field; of two sign-ups for one name at the same moment one gets it, too.
    """
    fields = fields_of(request, SignUpForm)
    try:
        with transaction.atomic():
            return User.objects.create_user(**fields)
    except IntegrityError:
        raise Refusal(400, {"username": ["This name is taken."]}) from None
