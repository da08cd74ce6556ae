"""Errors carry what happened, what to do next, and the exit code."""

import pytest

from serverlab import errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.LabError, 70),
        (errors.CommandFailed, 3),
        (errors.VerdictFailed, 1),
        (errors.UsageError, 2),
        (errors.EnvironmentLacks, 3),
        (errors.Interrupted, 4),
        (errors.NotEnoughEvidence, 5),
    ],
)
def test_every_error_has_the_documented_exit_code(kind, code):
    assert kind("x").exit_code == code


def test_the_hint_is_a_line_of_its_own():
    assert str(errors.UsageError("no such target: gnicorn", "did you mean gunicorn?")) == (
        "no such target: gnicorn\ndid you mean gunicorn?"
    )


def test_without_a_hint_there_is_no_second_line():
    assert str(errors.LabError("broke")) == "broke"
