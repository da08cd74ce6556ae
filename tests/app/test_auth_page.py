"""docs/auth.md: its example is run, and what it shows is what comes out."""

import contextlib
import re
import shlex
from pathlib import Path

import pytest
from django.core.management import call_command

from config.keys import key_ring

PAGE = Path(__file__).resolve().parents[2] / "docs" / "auth.md"
BLOCK = re.compile(r"^```(?P<kind>python|console)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(kind):
    """Return the page's blocks of this kind."""
    return [found["text"] for found in BLOCK.finditer(PAGE.read_text("utf-8")) if found["kind"] == kind]


@pytest.fixture
def example(settings):
    """The names that the page's program defines, in an app that has its key."""
    (program,) = blocks("python")
    names = {}
    exec(program, names)  # noqa: S102 - the page's own
    settings.JWT_KEYS = key_ring({"DJANGO_JWT_KEY": names["key"].decode()}, secret="x")
    return names


@pytest.mark.parametrize("number", range(len(blocks("console"))))
def test_what_the_page_shows_is_what_comes_out(example, capsys, number):
    """Each command of the page, with its output line by line."""
    command, _, shown = blocks("console")[number].partition("\n")
    dollar, program, verb, *words = shlex.split(command)
    assert (dollar, program, verb) == ("$", "manage.py", "jwt")
    arguments = [example[word[1:]] if word.startswith("$") else word for word in words]
    with contextlib.suppress(SystemExit):
        call_command("jwt", *arguments)
    printed = capsys.readouterr().out
    rest = shown.removeprefix("...\n")  # which stands for what the page has shown before
    assert printed == rest if rest == shown else printed.endswith(rest)


def test_the_page_shows_one_token_that_is_accepted_and_what_is_refused():
    """And what each is refused for."""
    verdicts = [text.rstrip().splitlines()[-1] for text in blocks("console")]
    assert verdicts == ["Accepted.", "Refused: exp.", "Refused: signature.", "Refused: form, key."]
