"""The command line: verbs and options; turns a LabError into one message and an exit code."""

import sys

from serverlab.errors import Exit


def entry() -> int:
    """Run the verb that the command line names and return its exit code."""
    try:
        from serverlab.cli.main import main as run_verb  # noqa: PLC0415 - so that Ctrl-C while it loads is caught too
    except KeyboardInterrupt:
        print("serverlab: interrupted before it began", file=sys.stderr)
        return int(Exit.INTERRUPTED)
    return run_verb()


__all__ = ["entry"]
