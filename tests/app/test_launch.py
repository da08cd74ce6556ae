"""launch.py: from server.toml and the environment to a command line."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import launch

LAUNCH = Path(launch.__file__)

SERVER = tomllib.loads(
    """
    title = "Server"
    default_variant = "gthread"
    [variants.gthread]
    command = ["serve", "--workers=${LAB_WORKERS}", "--threads=${LAB_THREADS}", "--class=${LAB_CLASS}", "$x ${1"]
    workers = { per_cpu = 2, extra = 1 }
    threads = 16
    environment = { LAB_CLASS = "gthread", TWICE = "${LAB_TIMEOUT}${LAB_TIMEOUT}" }
    [variants.plain]
    command = ["serve"]
    workers = { extra = 1 }
    threads = 0
    [variants.wrong]
    command = ["serve", "${LAB_NOTHING}"]
    workers = { per_cpu = 1 }
    threads = 1
    """
)


def test_left_alone_the_default_variant_gets_the_budget_of_one_core():
    """Every variable of the contract has its default."""
    command, environment = launch.plan(SERVER, {})
    assert command == ["serve", "--workers=3", "--threads=16", "--class=gthread", "$x ${1"]
    assert environment == {
        "LAB_VARIANT": "gthread",
        "LAB_CPUS": "1",
        "LAB_WORKERS": "3",
        "LAB_THREADS": "16",
        "LAB_TIMEOUT": "30",
        "LAB_KEEPALIVE": "75",
        "LAB_ACCESS_LOG": "off",
        "LAB_IDENTITY": "off",
        "LAB_CHEAP_HASHER": "off",
        "LAB_CLASS": "gthread",
        "TWICE": "3030",
    }


def test_more_cores_give_more_workers():
    """per_cpu * cpus + extra."""
    assert launch.plan(SERVER, {"LAB_CPUS": "4"})[1]["LAB_WORKERS"] == "9"


def test_what_is_given_wins_and_the_rest_of_the_environment_is_kept():
    """Defaults only fill gaps."""
    given = {"LAB_WORKERS": "5", "LAB_THREADS": "2", "LAB_TIMEOUT": "9", "PATH": "/venv/bin", "EMPTY": ""}
    command, environment = launch.plan(SERVER, given)
    assert command[1:3] == ["--workers=5", "--threads=2"]
    assert (environment["LAB_TIMEOUT"], environment["PATH"], environment["EMPTY"]) == ("9", "/venv/bin", "")


def test_an_empty_variable_counts_as_absent():
    """Compose hands on variables that nobody set as empty ones."""
    empty = dict.fromkeys(("LAB_VARIANT", "LAB_WORKERS", "LAB_CPUS", "LAB_ACCESS_LOG"), "")
    assert launch.plan(SERVER, empty) == launch.plan(SERVER, {})


def test_another_variant():
    """A variant without an environment gets none of another's."""
    command, environment = launch.plan(SERVER, {"LAB_VARIANT": "plain", "LAB_CPUS": "8"})
    assert command == ["serve"]
    assert (environment["LAB_WORKERS"], environment["LAB_THREADS"]) == ("1", "0")
    assert "LAB_CLASS" not in environment


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"LAB_VARIANT": "none"}, "LAB_VARIANT=none: Server has no such variant, only gthread, plain, wrong"),
        ({"LAB_VARIANT": "wrong"}, "'${LAB_NOTHING}' names the variable LAB_NOTHING, which is not set"),
        ({"LAB_CPUS": "many"}, "LAB_CPUS=many: must be a whole number of at least 1"),
        ({"LAB_CPUS": "0"}, "LAB_CPUS=0: must be a whole number of at least 1"),
        ({"LAB_WORKERS": "0"}, "LAB_WORKERS=0: must be a whole number of at least 1"),
        ({"LAB_THREADS": "-1"}, "LAB_THREADS=-1: must be a whole number of at least 0"),
    ],
)
def test_what_cannot_be_started_is_said(given, message):
    """The message names the variable, its value and what is allowed."""
    with pytest.raises(launch.LaunchError) as caught:
        launch.plan(SERVER, given)
    assert str(caught.value) == message


SHIPPED = sorted(LAUNCH.parents[1].glob("deploy/*/server.toml"))


@pytest.mark.parametrize("file", SHIPPED, ids=[file.parent.name for file in SHIPPED])
def test_every_variant_that_is_shipped_can_be_planned(file):
    """No command names a variable that nobody sets, and no formula comes to nothing."""
    server = tomllib.loads(file.read_text())
    for name in server["variants"]:
        command, environment = launch.plan(server, {"LAB_VARIANT": name, "LAB_CPUS": "2"})
        assert command[0]
        assert "${" not in " ".join([*command, *environment.values()])


@pytest.fixture
def start(tmp_path):
    """Run launch.py itself on a server.toml, as a container does."""

    def run(server, **environment):
        (tmp_path / "server.toml").write_text(server)
        file = tmp_path / "server.toml"
        planted = f"import launch, pathlib; launch.SERVER_FILE = pathlib.Path({str(file)!r}); launch.main()"
        return subprocess.run(
            [sys.executable, "-c", planted],
            cwd=LAUNCH.parent,
            env={"PATH": "/usr/bin:/bin", **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


VALID = """
title = "Echo"
default_variant = "only"
[variants.only]
command = ["sh", "-c", "echo $PPID $LAB_THREADS ${LAB_CPUS}"]
workers = { per_cpu = 1 }
"""


def test_the_launcher_becomes_the_server(start):
    """No shell and no parent is left in between."""
    done = start(VALID, LAB_CPUS="2")
    parent, threads, cpus = done.stdout.split()
    assert (threads, cpus, done.returncode) == ("1", "2", 0)
    assert parent == str(os.getpid())


@pytest.mark.parametrize(
    ("server", "environment", "message"),
    [
        (VALID, {"LAB_VARIANT": "x"}, "LAB_VARIANT=x: Echo has no such variant, only only"),
        ("title =", {}, "Invalid value"),
        (VALID.replace("sh", "no-such-server", 1), {}, "No such file or directory"),
        ("title = 'x'", {}, "default_variant"),
    ],
)
def test_a_start_that_fails_ends_with_2_and_one_line(start, server, environment, message):
    """Also when the file or the executable is wrong."""
    done = start(server, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("launch: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
