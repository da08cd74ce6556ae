"""Steps are named while they run."""

import threading

import pytest

from serverlab.progress import say_on_stderr, step


def test_a_step_says_when_it_begins_and_what_it_took():
    said = []
    with step(said.append, "cooking"):
        assert said == ["cooking ..."]
    assert said[1].startswith("cooking: done in ")


def test_a_step_that_fails_says_so_and_lets_the_error_through():
    said = []
    with pytest.raises(KeyboardInterrupt), step(said.append, "cooking"):
        raise KeyboardInterrupt
    assert said[1].startswith("cooking: stopped after ")


def test_a_long_step_says_that_it_still_runs():
    beat = threading.Event()
    said = []

    def listen(line):
        said.append(line)
        if "so far" in line:
            beat.set()

    with step(listen, "cooking", every_s=0.01):
        assert beat.wait(10)
    assert said[1] == "cooking: 0 s so far"


def test_lines_for_the_user_go_to_standard_error(capsys):
    say_on_stderr("hello")
    assert capsys.readouterr() == ("", "hello\n")
