"""Each variant's proof fits its own processes, and those of no variant that is started otherwise."""

import re
import tomllib
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
SERVERS = {path.parent.name: tomllib.loads(path.read_text()) for path in sorted(DEPLOY.glob("*/server.toml"))}
VALUES = {"LAB_ACCESS_LOG": "off", "LAB_TIMEOUT": "30"}
# How the engine's `top` shows a server whose first word is found by PATH, and is a script of Python's.
SCRIPTS = {"gunicorn", "daphne"}
PAIRS = [(server, name) for server, found in SERVERS.items() for name in found["variants"]]


def line_of(server, name):
    """Return the command line of a variant's first process, as the kernel has it."""
    variant = SERVERS[server]["variants"][name]
    line = " ".join(variant["command"])
    for variable, value in (VALUES | variant.get("environment", {})).items():
        line = line.replace(f"${{{variable}}}", value)
    assert "${" not in line
    return f"/venv/bin/python /venv/bin/{line}" if line.split()[0] in SCRIPTS else line


def lines_of(server, name):
    """Return the command lines of a variant's processes; Apache's daemon processes have a name of their own."""
    line = line_of(server, name)
    return [line, "(wsgi:lab) -DFOREGROUND"] if (server, name) == ("apache", "daemon") else [line]


def pattern_of(server, name):
    found = SERVERS[server]
    return found["variants"][name].get("identity", found["identity"])["process"]


@pytest.mark.parametrize(("server", "name"), PAIRS)
def test_a_proof_fits_its_own_processes(server, name):
    assert any(re.search(pattern_of(server, name), line) for line in lines_of(server, name))


@pytest.mark.parametrize(("server", "name"), PAIRS)
def test_a_proof_fits_no_variant_that_is_started_otherwise(server, name):
    others = [pair for pair in PAIRS if line_of(*pair) != line_of(server, name)]
    assert others
    for other in others:
        assert not any(re.search(pattern_of(server, name), line) for line in lines_of(*other)), other


def test_variants_that_share_a_command_line_differ_in_having_threads():
    """/lab/identity's `multithread` tells them apart; Daphne's replicas are counted by their host names."""
    shared = {}
    for server, name in PAIRS:
        shared.setdefault(line_of(server, name), []).append((server, name))
    found = [pairs for pairs in shared.values() if len(pairs) > 1]
    assert found == [
        [("daphne", "production"), ("daphne", "replicated")],
        [("gunicorn", "sync"), ("gunicorn", "gthread")],
        [("uwsgi", "http"), ("uwsgi", "threads")],
    ]
    for pairs in found[1:]:
        threads = [SERVERS[server]["variants"][name]["threads"] for server, name in pairs]
        assert threads == [1, 16]
