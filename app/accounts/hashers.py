"""How passwords are stored."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2id(Argon2PasswordHasher):
    """Argon2id with pinned parameters.

    19 MiB, two passes, one lane: the first choice of the OWASP Password Storage Cheat Sheet. Django's own
    default takes 100 MiB and eight threads per hash, which a container of one core and 1 GiB cannot give to 16
    sign-ins at a time.
    """

    time_cost = 2
    memory_cost = 19_456  # KiB
    parallelism = 1
