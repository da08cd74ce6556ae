"""Settings that are one of a few words, on or off, or a number; an empty variable counts as absent."""

from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured

ON, OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")


def one_of(environment: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """Return the value of the variable, or the first of `known` when it is absent.

    Raises:
        ImproperlyConfigured: the value is not among `known`.
    """
    value = environment.get(name) or known[0]
    if value not in known:
        raise ImproperlyConfigured(f"{name}={value}: must be one of {', '.join(known)}")
    return value


def switched(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Return whether the variable says on; a misspelled one must not switch a protection off.

    Raises:
        ImproperlyConfigured: it says neither on nor off.
    """
    value = (environment.get(name) or ("on" if default else "off")).lower()
    if value not in (*ON, *OFF):
        raise ImproperlyConfigured(f"{name}={value}: must be one of {', '.join((*ON, *OFF))}")
    return value in ON


def whole_number(environment: Mapping[str, str], name: str, *, default: int, least: int = 1) -> int:
    """Return the number that the variable says.

    Raises:
        ImproperlyConfigured: it is none, or below `least`.
    """
    value = environment.get(name) or str(default)
    if not (value.isascii() and value.isdecimal() and len(value) < 10 and int(value) >= least):
        raise ImproperlyConfigured(f"{name}={value}: must be a whole number of at least {least}")
    return int(value)
