"""A lab without containers in which wrk and h2load say what they once said."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.fake_engine import ExecResult
from tests.fake_lab import FakeLab

BEARER = "--header=Authorization: Bearer "
CAPTURED = Path(__file__).parent / "unit" / "captured"
EXPERIMENT = """
format = 1
title = "Cross-check"
question = "Do they agree?"
targets = ["gunicorn:gthread", "runserver"]
workloads = ["profile"]
reference = "gunicorn:gthread"
rounds = 2
seed = 7

[load]
warmup_s = 1.0
duration_s = 1.0
"""


def captured(name: str) -> ExecResult:
    return ExecResult(exit_code=0, output=(CAPTURED / name).read_bytes())


class WitnessLab(FakeLab):
    """`says` maps a command of the witness to what it says; `told` is what the generator was told, in order.

    `tokens` are, for each call, the number of its stack, the tool, and the access token that it asks with.
    """

    def __init__(self, fake: FakeLab) -> None:
        super().__init__(fake.root, fake.app)
        self.says: dict[str, Callable[[], ExecResult]] = {
            "wrk": lambda: captured("wrk.txt"),
            "h2load": lambda: captured("h2load.txt"),
            "cat": lambda: captured("h2load.tsv"),
            "rm": lambda: ExecResult(exit_code=0, output=b""),
        }
        self.told: list[Mapping[str, str]] = []
        self.asked: list[str] = []
        self.tokens: list[tuple[int, str, str]] = []

    def _compose(self, argv: Sequence[str]) -> None:
        if argv[-1] == "witness":
            witness = self.client.add("witness", run=self.shell.environments[-1]["LAB_RUN"])
            witness.exec_run = self._say
            return
        if argv[-1] == "load":
            given = self.shell.environments[-1]
            self.told.append(given)
            self.asked.append("serverlab")
            self.tokens.append((self.stacks, "serverlab", json.loads(given["LAB_LOAD_PARAMETERS"])["access"]))
        super()._compose(argv)

    def _say(self, argv: Sequence[str]) -> ExecResult:
        name = next(word for word in argv if word in self.says)
        self.asked.append(" ".join(word for word in argv if not word.startswith("--header")))
        self.tokens += [
            (self.stacks, name, word.removeprefix(BEARER)) for word in argv if word.startswith(BEARER)
        ]
        return self.says[name]()
