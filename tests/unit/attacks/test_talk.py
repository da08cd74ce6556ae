"""A program in a container that is asked line by line: what it complains of is told when it is gone."""

from types import SimpleNamespace

import pytest

from serverlab.attacks import talk
from serverlab.attacks.talk import Talk


@pytest.fixture
def asked(monkeypatch):
    """The program's answer to a question, which comes in these frames."""

    def answer(*frames):
        link = SimpleNamespace(_sock=SimpleNamespace(sendall=lambda _line: None))
        api = SimpleNamespace(
            exec_create=lambda *_words, **_options: {"Id": "1"}, exec_start=lambda *_words, **_options: link
        )
        monkeypatch.setattr(talk, "frames_iter", lambda _link, tty: iter(frames))
        return Talk(SimpleNamespace(id="app", client=SimpleNamespace(api=api)), ["program"]).ask("question")

    return answer


def test_an_answer_may_come_in_parts_and_beside_complaints(asked):
    assert asked((1, b'{"one"'), (2, b"a warning\n"), (1, b": 1}\n")) == {"one": 1}


def test_what_a_program_that_is_gone_complained_of_is_told(asked):
    with pytest.raises(OSError, match=r"is gone: Traceback.*\nValueError: no"):
        asked((2, b"Traceback (most recent call last):\n"), (2, b"ValueError: no\n"))
