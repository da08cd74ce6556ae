"""`manage.py purge`: remove what can no longer be of use to anybody."""

from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from accounts.models import RefreshFamily


class Command(BaseCommand):
    """May run at any time, beside everything else."""

    help = "Remove families of refresh tokens all of whose tokens have expired, and expired sessions."

    def handle(self, *args: object, **options: object) -> None:
        """Remove them, and say how many there were.

        A family's last access token may outlive its last refresh token, whose life the family's end cuts short.
        """
        expired = timezone.now() - settings.ACCESS_LIFETIME
        families, _ = RefreshFamily.objects.filter(expires_at__lte=expired).delete()
        before = Session.objects.count()
        call_command("clearsessions")
        self.stdout.write(f"removed {families} families and {before - Session.objects.count()} sessions")
