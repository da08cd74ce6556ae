"""What the environment says about one trial."""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

C = TypeVar("C", bound=enum.StrEnum)


class Arrival(enum.StrEnum):
    """How requests come: from users who each wait for the answer, or when they are due."""

    CLOSED = "closed"
    OPEN = "open"


class Spacing(enum.StrEnum):
    """How arrivals at a rate are spaced: evenly, or as independent visitors come, with exponential gaps."""

    CONSTANT = "constant"
    POISSON = "poisson"


class SettingsError(ValueError):
    """A variable of the environment does not hold what it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A part of the window: arrivals per second, or users, at its beginning and at its end."""

    level: float
    ramp_to: float
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One trial's times and arrival, and what its workload is told.

    ``think_s`` is None when the environment says nothing, so that each workload keeps its own. ``parameters`` are those
    of the workload's variant, texts by name. ``steps`` are of arrivals per second where the arrival is open, of which
    there is one at least; else of users, and none where their number does not change.
    """

    warmup_s: float = 2.0
    duration_s: float = 6.0
    timeout_s: float = 10.0
    think_s: float | None = None
    arrival: Arrival = Arrival.CLOSED
    spacing: Spacing = Spacing.CONSTANT
    seed: int = 1
    steps: tuple[Step, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """The settings in ``LAB_LOAD_WARMUP_S``, ``_DURATION_S``, ``_TIMEOUT_S``, ``_THINK_MS`` and ``_PARAMETERS``.

        ``_ARRIVAL``, ``_SPACING`` and ``_SEED`` say how requests come, ``_STEPS`` at which rate: a JSON list of
        ``[from, to, seconds]``. Absent or empty variables leave the default.

        Raises:
            SettingsError: a value is no number, too small, unknown, or no such JSON; the message names the variable.
        """
        think_ms = _number(environment, "LAB_LOAD_THINK_MS", least=0)
        seed = _number(environment, "LAB_LOAD_SEED", least=0)
        given = {
            "warmup_s": _number(environment, "LAB_LOAD_WARMUP_S", least=0),
            "duration_s": _number(environment, "LAB_LOAD_DURATION_S", least=0.1),
            "timeout_s": _number(environment, "LAB_LOAD_TIMEOUT_S", least=0.1),
            "think_s": None if think_ms is None else think_ms / 1000,
            "arrival": _choice(environment, "LAB_LOAD_ARRIVAL", Arrival),
            "spacing": _choice(environment, "LAB_LOAD_SPACING", Spacing),
            "seed": None if seed is None else int(seed),
            "steps": _steps(environment, "LAB_LOAD_STEPS"),
            "parameters": _parameters(environment, "LAB_LOAD_PARAMETERS"),
        }
        settings = cls(**{key: value for key, value in given.items() if value is not None})
        if settings.arrival is Arrival.OPEN and not settings.steps:
            raise SettingsError("LAB_LOAD_STEPS must hold a step where LAB_LOAD_ARRIVAL is open")
        return settings

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


def _choice(environment: Mapping[str, str], name: str, kind: type[C]) -> C | None:
    text = environment.get(name, "").strip()
    try:
        return kind(text) if text else None
    except ValueError:
        known = ", ".join(each.value for each in kind)
        raise SettingsError(f"{name} is {text!r}, known: {known}") from None


def _steps(environment: Mapping[str, str], name: str) -> tuple[Step, ...]:
    text = environment.get(name, "").strip()
    try:
        found = [[float(number) for number in step] for step in json.loads(text or "[]")]
        steps = tuple(Step(level=level, ramp_to=end, duration_s=length) for level, end, length in found)
    except (TypeError, ValueError):
        raise SettingsError(f"{name} must be a JSON list of [from, to, seconds]: {text!r}") from None
    if not all(math.isfinite(number) and number > 0 for step in found for number in step):
        raise SettingsError(f"{name} must hold finite numbers above 0: {text!r}")
    return steps


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
