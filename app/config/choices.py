"""Settings that are one of a few words."""

from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured


def one_of(environment: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """Return the value of the variable, or the first of `known` when it is absent or empty.

    Raises:
        ImproperlyConfigured: the value is not among `known`.
    """
    value = environment.get(name) or known[0]
    if value not in known:
        raise ImproperlyConfigured(f"{name}={value}: must be one of {', '.join(known)}")
    return value
