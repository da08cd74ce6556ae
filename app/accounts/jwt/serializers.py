"""What the views take and give."""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as PasswordError
from django.db import IntegrityError, transaction
from rest_framework import serializers

from accounts.credentials import PASSWORD_MAX_LENGTH
from accounts.models import Role, User


class MemberSerializer(serializers.Serializer):
    """Gives {id, username, role}."""

    id = serializers.IntegerField()
    username = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.choices)


class SignUpSerializer(serializers.ModelSerializer):
    """Takes username, email and password; gives the new user, who is a reader."""

    email = serializers.EmailField(max_length=254, write_only=True)
    password = serializers.CharField(write_only=True, max_length=PASSWORD_MAX_LENGTH, trim_whitespace=False)
    role = serializers.ChoiceField(choices=Role.choices, read_only=True)

    class Meta:
        model = User
        fields = ["id", "username", "role", "email", "password"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Hold the password against the validators, which also compare it with the name and the address."""
        try:
            validate_password(attrs["password"], User(username=attrs["username"], email=attrs["email"]))
        except PasswordError as error:
            raise serializers.ValidationError({"password": error.messages}) from error
        return attrs

    def create(self, validated_data: dict[str, Any]) -> User:
        """Return the new user; of two sign-ups for one name at the same moment one is refused."""
        try:
            with transaction.atomic():
                return User.objects.create_user(**validated_data)
        except IntegrityError as error:
            raise serializers.ValidationError({"username": ["This name is taken."]}) from error


class CredentialsSerializer(serializers.Serializer):
    """Takes username and password."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=PASSWORD_MAX_LENGTH, trim_whitespace=False)


class PasswordSerializer(serializers.Serializer):
    """Takes the password and its successor."""

    old_password = serializers.CharField(max_length=PASSWORD_MAX_LENGTH, trim_whitespace=False)
    new_password = serializers.CharField(max_length=PASSWORD_MAX_LENGTH, trim_whitespace=False)


class PairSerializer(serializers.Serializer):
    """Gives {access, refresh, expires_in}."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    expires_in = serializers.IntegerField()


class LogInSerializer(PairSerializer):
    """Gives {user, access, refresh, expires_in}."""

    user = MemberSerializer()


class RefreshSerializer(serializers.Serializer):
    """Takes a refresh token."""

    refresh = serializers.CharField(trim_whitespace=False)


class VerifySerializer(serializers.Serializer):
    """Takes a token of either kind."""

    token = serializers.CharField(trim_whitespace=False)
