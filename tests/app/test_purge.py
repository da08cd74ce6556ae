"""`manage.py purge`: what has ended is removed, what lives is not."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils import timezone

from accounts.models import RefreshFamily
from tests.app.ways import Way

pytestmark = pytest.mark.django_db


@pytest.fixture
def purge(capsys):
    """Run the command and return what it said."""

    def run():
        call_command("purge")
        return capsys.readouterr().out

    return run


def ended(moment, ago):
    """Have every row of a queryset have ended that long ago."""
    return {moment: timezone.now() - ago}


def test_what_lives_is_kept(user, purge):
    """Also a family that was revoked: its access tokens have to be known as such until they expire."""
    way, session = Way("jwt"), Way("session")
    way.log_in()
    session.log_in()
    RefreshFamily.objects.update(revoked_at=timezone.now())
    assert purge() == "removed 0 families and 0 sessions\n"
    assert way.me().status_code == 401
    assert session.me().status_code == 200


def test_what_has_ended_is_removed(user, purge):
    """Families and sessions, and only those."""
    old, new = Way("jwt"), Way("jwt")
    old.log_in()
    RefreshFamily.objects.update(**ended("expires_at", timedelta(seconds=601)))
    new.log_in()
    Way("session").log_in()
    Session.objects.update(**ended("expire_date", timedelta(seconds=1)))
    assert purge() == "removed 1 families and 1 sessions\n"
    assert new.refresh().status_code == 200


def test_a_family_is_kept_until_its_last_access_token_has_expired(user, purge):
    """It may have been made in the last second of the refresh token."""
    way = Way("jwt")
    way.log_in()
    RefreshFamily.objects.update(**ended("expires_at", timedelta(seconds=590)))
    assert purge() == "removed 0 families and 0 sessions\n"
    assert way.me().status_code == 200
