"""A part of the stack that dies under load: the load is ended at once, and the trial tells who died and how."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from serverlab import compose, load, sampler
from serverlab.compose import SERVICE_LABEL, Container, Engine, StackDied
from serverlab.errors import TrialFailed
from serverlab.runner.gates import STACK_ROLES


def stop_load(engine: Engine, gone: Container) -> None:
    """End the load if it is a part of the stack that is gone: nothing more is to be learnt from what is left."""
    if _is_of_stack(gone):
        load.cut_short(engine)


@contextmanager
def told(samples: sampler.Sampler) -> Iterator[None]:
    """Raise StackDied, in the place of whatever it did to the load, where a part of the stack ends in the block."""
    try:
        yield
    except TrialFailed:
        _check(samples)
        raise
    _check(samples)


def _check(samples: sampler.Sampler) -> None:
    ended = [each for each in samples.watched if _is_of_stack(each) and sampler.has_ended(each)]
    if ended:
        names = ", ".join(each.name for each in ended)
        there = [each for each in ended if each.status in sampler.ENDED]
        hint = "See its last lines for why, and whether it holds with fewer users."
        raise StackDied(f"under load {names} died{compose.tails(there)}", hint)


def _is_of_stack(container: Container) -> bool:
    return container.labels.get(SERVICE_LABEL) in STACK_ROLES
