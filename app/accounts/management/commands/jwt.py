"""`manage.py jwt`: take a token apart and say why it is accepted or refused; or make a key for tokens."""

import json
import sys
import time

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.inspection import Verdict, anatomy, steps
from config.keys import ALGORITHMS, new_key


class Command(BaseCommand):
    """Prints no secret but one that it has just made."""

    help = (
        "Take a token apart (header, payload, signature), verify it against the configured keys, and say in plain "
        "words why it is refused. Exit code 0: it would be accepted, 1: refused, 2: wrong usage."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a token or the wish for a key."""
        parser.add_argument("token", nargs="?", help="the token; - reads it from standard input")
        parser.add_argument(
            "--new-key",
            choices=ALGORITHMS,
            help="print a private JWK Set with one new key, for DJANGO_JWT_KEYS",
        )
        parser.add_argument(
            "--now", type=int, help="judge as at this moment, in epoch seconds (default: now)"
        )
        parser.add_argument(
            "--verify",
            choices=("user", "stateless"),
            default=settings.JWT_VERIFY,
            help="with the database or without (default: as DJANGO_JWT_VERIFY is set)",
        )

    def handle(self, *args: object, **options: object) -> None:
        """Print what is asked for; exit with 1 if the token is refused."""
        if options["new_key"]:
            self.stdout.write(json.dumps({"keys": [new_key(str(options["new_key"]))]}))
            return
        if not options["token"]:
            raise CommandError(
                "Give a token, - to read it from standard input, or --new-key ALGORITHM", returncode=2
            )
        given = str(options["token"])
        token = sys.stdin.read().strip() if given == "-" else given
        now = int(time.time()) if options["now"] is None else int(str(options["now"]))
        self._tell(token, now=now, verifying=str(options["verify"]))

    def _tell(self, token: str, *, now: int, verifying: str) -> None:
        for line in anatomy(token, now=now):
            self.stdout.write(line)
        self.stdout.write("\nVerification")
        taken = list(steps(token, now=now, verifying=verifying))
        for step in taken:
            self.stdout.write(f"  {step.verdict.value:<10} {step.name:<14} {step.words}")
        refused = [step for step in taken if step.verdict is Verdict.REFUSED]
        if refused:
            self.stdout.write(f"\nRefused: {', '.join(step.name for step in refused)}.")
            sys.exit(1)
        self.stdout.write("\nAccepted.")
