"""Wrong words on the command line, help, and what is left when everything else fails."""

import contextlib
import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import docker.errors
import pytest
import requests.exceptions

from serverlab import __version__
from serverlab.cli.context import Context
from serverlab.cli.main import ENGINE_HINT, main
from serverlab.errors import EnvironmentLacks, Exit

HINT = "`serverlab --help` lists the verbs, `serverlab VERB --help` its options.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rum",), 'Unknown command "rum". Did you mean "run"?'),
        (("run", "quick", "--round", "3"), "Unknown option: --round. Did you mean --rounds?"),
        (("up",), 'Command "up" parameter --target requires an argument.'),
        (
            ("run", "quick", "--rounds", "many"),
            'Invalid value for --rounds: unable to convert "many" into int.',
        ),
        (
            ("run", "quick", "--db", "mysql"),
            'Invalid value "mysql" for --db. Choose from: "sqlite", "postgres".',
        ),
        (("up", "gunicorn", "--replicas", "0"), 'Invalid value "0" for --replicas. Must be >= 1.'),
        (("up", "gunicorn", "--cpus", "-1"), 'Invalid value "-1" for --cpus. Must be >= 1.'),
        (("up", "gunicorn", "--port", "70000"), 'Invalid value "70000" for --port. Must be <= 65535.'),
        (("logs", "app", "--tail", "0"), 'Invalid value "0" for --tail. Must be >= 1.'),
        (("up", "gunicorn", "nginx"), "Unused Tokens: ['nginx']."),
    ],
)
def test_wrong_words_are_told_with_the_way_to_the_right_ones(cli, fake, words, said):
    refused = cli(*words)
    assert refused.err.startswith(f"serverlab: {said}")
    assert refused.err.endswith(HINT)
    assert (refused.code, refused.out, fake.shell.calls) == (2, "", [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run",), "name either an experiment or, with --resume, a run\n"),
        (("run", "quick", "--resume", "quick/1"), "name either an experiment or, with --resume, a run\n"),
        (
            ("run", "--resume", "quick/1", "--rounds", "5", "--db", "postgres"),
            "--rounds, --db: --resume goes on as it began\nLeave it out, or start a new one.\n",
        ),
        (
            ("run", "--resume", "quick/1", "--targets", "gunicorn", "--cache", "redis"),
            "--targets, --cache: --resume goes on as it began\nLeave it out, or start a new one.\n",
        ),
        (
            ("run", "--resume", "quick/1", "--rounds", "0"),
            "--rounds: --resume goes on as it began\nLeave it out, or start a new one.\n",
        ),
        (("run", "quick", "--rounds", "0"), "--rounds 0: at least one round is needed\n"),
        (("report",), "say either --docs or --check\n"),
        (("report", "--docs", "--check"), "say either --docs or --check\n"),
        (("compare", "--format", "xml"), "unknown format 'xml'\nKnown: text, markdown, json, csv\n"),
        (
            ("up", "gunicorn", "--replicas", "2"),
            "gunicorn:gthread: several replicas need an edge\nTry gunicorn:gthread+nginx\n",
        ),
        (
            ("up", "gunicorn", "--cpus", "9"),
            (
                "A budget of 9 cores cannot be given: containers may use 2 here.\n"
                "Take a smaller budget, or a larger machine.\n"
            ),
        ),
        (
            ("locust", "gunicorn", "--workload", "profil"),
            "unknown workload 'profil', did you mean 'profile'?\nKnown: profile, static\n",
        ),
    ],
)
def test_options_that_do_not_go_together_or_name_nothing_are_refused(cli, fake, words, said):
    refused = cli(*words)
    assert refused.err == f"serverlab: {said}"
    assert (refused.code, refused.out, fake.shell.calls) == (2, "", [])


@pytest.mark.parametrize("verb", ["up", "locust"])
def test_an_unknown_target_is_refused_with_the_nearest_name(cli, fake, verb):
    refused = cli(verb, "gunicon:sync")
    assert refused.err == (
        "serverlab: 'gunicon:sync': unknown server 'gunicon', did you mean 'gunicorn'?\n"
        "Known: daphne, gunicorn, runserver, uwsgi\n"
    )
    assert (refused.code, fake.shell.calls) == (2, [])


def test_alone_it_explains_itself(cli):
    assert cli().out == cli("--help").out
    assert "Usage: serverlab COMMAND" in cli().out
    assert cli().code == 0


def test_the_help_states_every_exit_code(cli):
    words = " ".join(cli("--help").out.split())
    for code in Exit:
        assert f"{code.value} " in words.split("Exit codes: ")[1]


def test_the_version_is_a_result(cli):
    assert cli("--version").out == f"{__version__}\n"


@pytest.fixture
def failing(root, capsys):
    """Calls `ps` on an engine whose connection raises this."""

    def call(error):
        def connect(_shell):
            raise error

        code = main(["ps"], context=Context(root=root, connect=connect))
        return code, *capsys.readouterr()

    return call


def test_a_missing_engine_is_one_message_and_its_exit_code(failing):
    assert failing(EnvironmentLacks("no engine answers", "Start one.")) == (
        3,
        "",
        "serverlab: no engine answers\nStart one.\n",
    )


def test_without_a_hint_there_is_no_second_line(failing):
    assert failing(EnvironmentLacks("no engine answers"))[2] == "serverlab: no engine answers\n"


def test_ctrl_c_is_no_traceback(failing):
    assert failing(KeyboardInterrupt()) == (
        4,
        "",
        "serverlab: interrupted\nNothing of ours is left behind; run it again.\n",
    )


class Unread(io.StringIO):
    """A stream whose reader has gone."""

    def flush(self):
        raise BrokenPipeError


class Full(io.StringIO):
    """A file on a disk without room."""

    def flush(self):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("words", [("list",), ("list", "--json")])
def test_a_reader_who_has_seen_enough_is_no_error(cli, words):
    with contextlib.redirect_stdout(Unread()):
        assert (cli(*words).code, cli(*words).err) == (0, "")


def test_a_reader_who_has_seen_enough_changes_no_exit_code(cli):
    with contextlib.redirect_stderr(Unread()):
        assert cli("logs").code == 2


LAB = (sys.executable, "-c", "import sys; from serverlab.cli.main import main; sys.exit(main())")


def test_the_interpreter_does_not_try_to_write_again_what_nobody_reads():
    unread, writing = os.pipe()
    os.close(unread)
    with os.fdopen(writing, "wb") as nobody:
        ended = subprocess.run((*LAB, "list"), stdout=nobody, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_full_disk_changes_no_exit_code_to_that_of_a_verdict():
    with Path("/dev/full").open("wb") as full:
        to_out = subprocess.run((*LAB, "list"), stdout=full, stderr=subprocess.DEVNULL, check=False)
        to_err = subprocess.run((*LAB, "rum"), stdout=subprocess.DEVNULL, stderr=full, check=False)
    assert (to_out.returncode, to_err.returncode) == (3, 2)


def test_results_that_cannot_be_written_are_no_bug(cli):
    with contextlib.redirect_stdout(Full()):
        refused = cli("list")
    assert (refused.code, refused.err) == (
        3,
        "serverlab: standard output cannot be written: No space left on device\nMake room, or send it elsewhere.\n",
    )


def test_a_connection_that_broke_within_the_lab_is_no_success(failing):
    code, out, err = failing(BrokenPipeError("a socket"))
    assert (code, out) == (70, "")
    assert "BrokenPipeError: a socket" in err


@pytest.mark.parametrize(
    "error", [docker.errors.APIError("500 Server Error"), requests.exceptions.ReadTimeout("read timed out")]
)
def test_an_engine_that_fails_is_told_as_that(failing, error):
    assert failing(error) == (
        3,
        "",
        f"serverlab: the container engine no longer answers as it should: {error}\n{ENGINE_HINT}\n",
    )


def test_a_bug_is_told_as_a_bug_with_its_traceback(failing):
    code, out, err = failing(ZeroDivisionError("division by zero"))
    assert (code, out) == (70, "")
    assert "ZeroDivisionError: division by zero" in err
    assert err.endswith("serverlab: this is a bug in serverlab, please report it with the lines above\n")
