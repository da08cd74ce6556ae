"""Wrong words on the command line, help, and what is left when everything else fails."""

import pytest

from serverlab import __version__
from serverlab.cli.context import Context
from serverlab.cli.main import main
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


def test_a_reader_who_has_seen_enough_is_no_error(failing):
    assert failing(BrokenPipeError()) == (0, "", "")


def test_a_bug_is_told_as_a_bug_with_its_traceback(failing):
    code, out, err = failing(ZeroDivisionError("division by zero"))
    assert (code, out) == (70, "")
    assert "ZeroDivisionError: division by zero" in err
    assert err.endswith("serverlab: this is a bug in serverlab, please report it with the lines above\n")
