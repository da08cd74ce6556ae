"""What the environment says about one trial."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class SettingsError(ValueError):
    """A variable of the environment does not hold what it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One trial's times, and what its workload is told.

    ``think_s`` is None when the environment says nothing, so that each workload keeps its own. ``parameters`` are those
    of the workload's variant, texts by name.
    """

    warmup_s: float = 2.0
    duration_s: float = 6.0
    timeout_s: float = 10.0
    think_s: float | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """The settings in ``LAB_LOAD_WARMUP_S``, ``_DURATION_S``, ``_TIMEOUT_S``, ``_THINK_MS`` and ``_PARAMETERS``.

        Absent or empty variables leave the default.

        Raises:
            SettingsError: a value is no number, too small, or no JSON object of texts; the message names the variable.
        """
        think_ms = _number(environment, "LAB_LOAD_THINK_MS", least=0)
        given = {
            "warmup_s": _number(environment, "LAB_LOAD_WARMUP_S", least=0),
            "duration_s": _number(environment, "LAB_LOAD_DURATION_S", least=0.1),
            "timeout_s": _number(environment, "LAB_LOAD_TIMEOUT_S", least=0.1),
            "think_s": None if think_ms is None else think_ms / 1000,
            "parameters": _parameters(environment, "LAB_LOAD_PARAMETERS"),
        }
        return cls(**{key: value for key, value in given.items() if value is not None})

    def parameter(self, name: str, choices: Sequence[str]) -> str:
        """The parameter called ``name``, which is one of ``choices``; the first of them where it is not given.

        Raises:
            SettingsError: it is something else.
        """
        value = self.parameters.get(name, choices[0])
        if value not in choices:
            raise SettingsError(f"parameter {name} is {value!r}, known: {', '.join(choices)}")
        return value


def _parameters(environment: Mapping[str, str], name: str) -> dict[str, str]:
    text = environment.get(name, "").strip()
    try:
        found = json.loads(text or "{}")
    except json.JSONDecodeError:
        raise SettingsError(f"{name} is not JSON: {text!r}") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise SettingsError(f"{name} must be a JSON object of texts: {text!r}")
    return found


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
