"""The command line: verbs and options; turns a LabError into one message and an exit code."""

from serverlab.cli.main import main

__all__ = ["main"]
