"""The entry point: builds the app, catches what goes wrong once, and returns the exit code."""

from __future__ import annotations

import io
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

from cyclopts import App, CycloptsError

from serverlab import __version__
from serverlab.cli import (
    attack,
    capacity,
    claims,
    crosscheck,
    definitions,
    faults,
    http,
    judging,
    machine,
    runs,
    stacks,
)
from serverlab.cli.context import Context
from serverlab.compose import ENGINE_ERRORS
from serverlab.errors import Exit, LabError
from serverlab.formatting import harmless
from serverlab.progress import say_on_stderr
from serverlab.runner.ending import engine_lost

HELP = """Which server should run my Django project, with which settings, and what happens when things go wrong?

A target is SERVER[:VARIANT][+EDGE], for example gunicorn:gthread+nginx; `serverlab list` names them all.
"""

EPILOGUE = (
    "Exit codes: 0 ok · 1 a verdict failed or a regression was found · 2 wrong usage or a bad file · "
    "3 the environment lacks something · 4 interrupted, resumable · 5 not enough evidence · "
    "70 the lab itself broke.\n\n"
    "Results go to standard output, everything else to standard error."
)

ENGINE_HINT = (
    "`serverlab doctor` tells what is wrong; `serverlab ps` shows what is left, `serverlab clean` removes it."
)


def build(context: Context) -> App:
    """The command line app with all verbs bound to the context."""
    app = App(
        name="serverlab",
        help=HELP,
        help_epilogue=EPILOGUE,
        version=__version__,
        help_format="plaintext",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app.register_install_completion_command()
    for verbs in (
        runs,
        judging,
        capacity,
        crosscheck,
        stacks,
        attack,
        faults,
        http,
        claims,
        definitions,
        machine,
    ):
        verbs.register(app, context)
    return app


def main(arguments: Sequence[str] | None = None, *, context: Context | None = None) -> int:
    """Run one verb and return its exit code; messages are on standard error."""
    _let_ending_signals_interrupt()
    _print_whatever_the_terminal_takes()
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _code(build(context or Context())(tokens, exit_on_error=False, print_error=False))
    except CycloptsError as wrong:
        return _report(
            f"{wrong}", "`serverlab --help` lists the verbs, `serverlab VERB --help` its options.", Exit.USAGE
        )
    except LabError as error:
        return _report(error.what, error.hint, error.exit_code)
    except ENGINE_ERRORS as broke:
        lost = engine_lost(broke, hint=ENGINE_HINT)
        return _report(lost.what, lost.hint, lost.exit_code)
    except KeyboardInterrupt:
        return _report("interrupted", "Nothing of ours is left behind; run it again.", Exit.INTERRUPTED)
    except Exception:  # noqa: BLE001 - whatever is left is a bug of ours and must not look like a verdict
        traceback.print_exc()
        return _report(
            "this is a bug in serverlab, please report it with the lines above", "", Exit.LAB_BROKE
        )


def _code(result: object) -> int:
    return int(result) if isinstance(result, int) else int(Exit.OK)


def _report(what: str, hint: str, code: Exit) -> int:
    say_on_stderr(harmless(f"serverlab: {what}" + (f"\n{hint}" if hint else "")))
    return int(code)


def _print_whatever_the_terminal_takes() -> None:
    """Characters that the locale's encoding lacks are escaped; none of them is worth losing a table for."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _let_ending_signals_interrupt() -> None:
    """Let SIGTERM and a closed terminal end the lab as Ctrl-C does; what is ignored, as under `nohup`, stays so."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
