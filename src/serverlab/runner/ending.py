"""How what was begun ends, whatever ends it: nothing of ours is left, and an engine that fails is told as that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import docker.errors

from serverlab.compose import ENGINE_ERRORS, Engine, StackDied, engine_failed, tails
from serverlab.errors import EnvironmentLacks, LabError, TrialFailed


@contextmanager
def leaving_nothing(
    engine: Engine, *, say: Callable[[str], None] = lambda _: None, then: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Remove all that is ours when the block ends, and call ``then`` when it is gone.

    Where removing fails after the block was broken off, what broke it off is raised all the same and ``say`` is told of
    the rest: the next start tries again. Only a trial that failed gives way to it, for others would follow on the same
    machine; it is the context of what is raised then.

    Raises:
        One of ENGINE_ERRORS, or EnvironmentLacks: not everything could be removed.
    """
    try:
        yield
    except TrialFailed:
        engine.remove_all()
        then()
        raise
    except BaseException:
        try:
            engine.remove_all()
            then()
        except (LabError, *ENGINE_ERRORS) as left:
            say(f"not all that is ours could be removed, the next start tries again: {left}")
        raise
    engine.remove_all()
    then()


@contextmanager
def needing_the_engine(*, hint: str) -> Iterator[None]:
    """Raise EnvironmentLacks with the hint where the container engine no longer answers as it should."""
    try:
        yield
    except ENGINE_ERRORS as broke:
        raise engine_lost(broke, hint=hint) from None


@contextmanager
def telling_who_died(engine: Engine) -> Iterator[None]:
    """Raise StackDied, with who ended how, where the engine refuses because a container has ended or is gone.

    That is the stack's doing: one trial is VOID for it, and the others go on.
    """
    try:
        yield
    except docker.errors.APIError as refused:
        if engine_failed(refused):
            raise
        why = refused.explanation or refused
        raise StackDied(f"a container has ended or is gone: {why}{tails(engine.dead())}") from None


def engine_lost(broke: BaseException, *, hint: str) -> EnvironmentLacks:
    """What is told of an engine that no longer answers, with what had gone wrong before that, if anything had."""
    first = next((each for each in _contexts(broke) if isinstance(each, LabError)), None)
    before = f"; before that: {first.what}" if first else ""
    return EnvironmentLacks(f"the container engine no longer answers as it should: {broke}{before}", hint)


def _contexts(broke: BaseException) -> Iterator[BaseException]:
    """What was being handled when it was raised, and so on."""
    while (earlier := broke.__context__) is not None:
        yield earlier
        broke = earlier
