"""What has to be as it was for a run to be gone on with: all that is in it was made alike."""

from __future__ import annotations

from collections.abc import Mapping

from serverlab.errors import UsageError
from serverlab.model.records import Environment

COMPARED = ("lab_version", "kernel", "cpu_model", "cores", "engine", "images", "database", "cache")
"""The fields of an environment that are compared."""

ALIKE = "What is in one run has to be made alike"


def refuse_unlike(before: Environment, now: Environment) -> None:
    """Raise UsageError where what is made now would not be like what was made before."""
    unlike = [key for key in COMPARED if getattr(before, key) != getattr(now, key)]
    if unlike:
        raise UsageError(
            f"run {before.run} cannot be resumed: {', '.join(unlike)} changed since it began",
            f"{ALIKE}; start a new run.",
        )


def refuse_changed(name: str, hashes: Mapping[str, str], *, now: Mapping[str, str]) -> None:
    """Raise UsageError where a file that the plan called ``name`` is about is not what its ``hashes`` say."""
    changed = [key for key, digest in now.items() if hashes.get(key) != digest]
    if changed:
        raise UsageError(
            f"run of {name} cannot be resumed: the files of {', '.join(changed)} changed since it began",
            f"{ALIKE}; put the files back, or start a new run.",
        )
