"""The Makefile is a thin face: its recipes call the command line and the tools, and think about nothing."""

import re

import pytest

from serverlab.cli.context import CHECKOUT, Context
from serverlab.cli.main import build
from serverlab.shell import HostShell

TEXT = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
WANTED = [
    "setup",
    "engine",
    "images",
    "up",
    "down",
    "ps",
    "logs",
    "run",
    "compare",
    "locust",
    "report",
    "test",
    "lint",
    "clean",
]
TOOLS = "git pytest ruff mypy lint-imports hadolint shellcheck yamllint gixy"
COMMANDS = {"$(LAB)", "$(PYTHON)", "$(UV)", "git", *(f"$(BIN)/{tool}" for tool in [*TOOLS.split(), "python"])}
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
ASSIGNMENT = re.compile(r"\w+=\S*$")
RULE = re.compile(
    r"^(?P<name>[a-z-]+):(?P<needs>[^#\n=]*)(?P<doc>#.*)?\n(?P<recipe>(?:\t.*\n?)*)", re.MULTILINE
)
RULES = {match["name"]: match for match in RULE.finditer(TEXT)}


def commands(recipe):
    """The first word of every command in the recipe, what xargs runs included; a loop's head is no command."""
    for part in re.split(r"[|;\n]|&&", QUOTED.sub("", recipe)):
        words = [word for word in part.strip().lstrip("@").split() if not ASSIGNMENT.match(word)]
        words = words[1:] if words and words[0] in ("do", "xargs") else words
        if words and words[0] not in ("for", "done"):
            yield words[0]


def test_the_first_words_of_commands_are_found():
    recipe = (
        "\t@for a in $(B); do X=1 $(UV) run 'a | b' | $(LAB) x - ; done\n\tgit ls-files '*.x' | xargs rm -f\n"
    )
    assert list(commands(recipe)) == ["$(UV)", "$(LAB)", "git", "rm"]


def test_everything_that_is_asked_for_is_there():
    assert set(WANTED) <= set(RULES)


@pytest.mark.parametrize("name", [name for name in RULES if name != "help"])
def test_recipes_call_only_the_command_line_and_the_tools(name):
    assert set(commands(RULES[name]["recipe"])) <= COMMANDS


@pytest.mark.parametrize("name", [name for name in RULES if name != "help"])
def test_each_recipe_of_the_lab_is_one_line(name):
    lines = RULES[name]["recipe"].splitlines()
    assert len(lines) == 1 or all("$(BIN)/" in line for line in lines)


def test_the_verbs_of_recipes_are_verbs_of_the_command_line():
    verbs = set(build(Context()))
    called = {word for match in RULES.values() for word in re.findall(r"\$\(LAB\) ([a-z]+)", match["recipe"])}
    assert called <= verbs
    assert len(called) > 10


def test_every_rule_is_phony_and_every_need_is_a_rule():
    (phony,) = re.findall(r"^\.PHONY: (.*)$", TEXT, re.MULTILINE)
    assert set(phony.split()) == set(RULES)
    assert {need for match in RULES.values() for need in match["needs"].split()} <= set(RULES)


def test_make_alone_prints_the_help_made_from_the_comments():
    shell = HostShell()
    alone, asked = shell.run(["make"], cwd=CHECKOUT), shell.run(["make", "help"], cwd=CHECKOUT)
    assert alone.ok
    assert alone.stdout == asked.stdout
    for name in WANTED:
        doc = RULES[name]["doc"]
        assert doc
        assert doc.startswith("## ")
        assert re.search(rf"^  {name} +{re.escape(doc[3:].strip())}$", alone.stdout, re.MULTILINE), name


def test_a_stack_is_chosen_by_variables():
    shown = HostShell().run(
        [
            "make",
            "--dry-run",
            "up",
            "TARGET=uwsgi+nginx",
            "DB=postgres",
            "CACHE=redis",
            "REPLICAS=2",
            "REALTIME=on",
        ],
        cwd=CHECKOUT,
    )
    assert (
        '.venv/bin/serverlab up "uwsgi+nginx" --db "postgres" --cache "redis" --replicas "2" --realtime'
        in shown.stdout
    )


def test_two_runs_can_be_compared():
    shown = HostShell().run(
        ["make", "--dry-run", "compare", "RUN=quick/1", "NEW=quick/2", "ARGS=--fail-on rps:-5%"], cwd=CHECKOUT
    )
    assert '.venv/bin/serverlab compare "quick/1" "quick/2" --fail-on rps:-5%' in shown.stdout


def test_several_targets_can_be_compared():
    shown = HostShell().run(["make", "--dry-run", "compare", "TARGETS=runserver gunicorn"], cwd=CHECKOUT)
    assert 'run experiments/quick.toml --targets "runserver gunicorn"' in shown.stdout
