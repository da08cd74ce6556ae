"""What the environment says about one trial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


class SettingsError(ValueError):
    """A variable of the environment does not hold what it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One trial's times.

    ``think_s`` is None when the environment says nothing, so that each workload keeps its own.
    """

    warmup_s: float = 2.0
    duration_s: float = 6.0
    timeout_s: float = 10.0
    think_s: float | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """The settings in ``LAB_LOAD_WARMUP_S``, ``_DURATION_S``, ``_TIMEOUT_S`` and ``_THINK_MS``.

        Absent or empty variables leave the default.

        Raises:
            SettingsError: a value is no number, or too small; the message names the variable.
        """
        think_ms = _number(environment, "LAB_LOAD_THINK_MS", least=0)
        given = {
            "warmup_s": _number(environment, "LAB_LOAD_WARMUP_S", least=0),
            "duration_s": _number(environment, "LAB_LOAD_DURATION_S", least=0.1),
            "timeout_s": _number(environment, "LAB_LOAD_TIMEOUT_S", least=0.1),
            "think_s": None if think_ms is None else think_ms / 1000,
        }
        return cls(**{key: value for key, value in given.items() if value is not None})


def _number(environment: Mapping[str, str], name: str, *, least: float) -> float | None:
    text = environment.get(name, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise SettingsError(f"{name} is not a number: {text!r}") from None
    if not math.isfinite(value) or value < least:
        raise SettingsError(f"{name} must be a finite number of at least {least:g}: {text!r}")
    return value
