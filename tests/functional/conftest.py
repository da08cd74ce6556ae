"""The command line over a checkout of its own, a shell that starts nothing and an engine without containers."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import dataclass

import pytest

from serverlab.cli.context import Context
from serverlab.cli.main import main
from serverlab.compose import Engine
from tests.checkout import make_checkout
from tests.fake_app import FakeApp, serving
from tests.fake_lab import FakeLab
from tests.fakes import Answer

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
"""Ctrl-C, who ends processes, and a closed terminal."""

IMAGES = [
    {"Id": f"sha256:{name}", "Size": 1000, "RepoTags": [f"serverlab/{name}:dev"], "Config": {}}
    for name in ("app", "gunicorn", "load")
]
DOCKER_INFO = {"NCPU": 2, "MemTotal": 8 << 30, "ServerVersion": "26.1.5", "CgroupVersion": "2"}

DOCKER = {
    "docker image inspect --format {{.Id}}": Answer(stdout="sha256:base\n"),
    "docker image inspect": Answer(stdout=json.dumps(IMAGES)),
    "docker image rm": Answer(),
    "docker context show": Answer(stdout="default\n"),
    "docker buildx build": Answer(stdout="#1 building\n"),
    "docker info --format {{json .}}": Answer(stdout=json.dumps(DOCKER_INFO)),
    "docker compose version --short": Answer(stdout="2.26.1\n"),
    "git rev-parse HEAD": Answer(stdout="a" * 40 + "\n"),
    "git status --porcelain": Answer(),
    f"{sys.executable} -m pip config list": Answer(),
}


@dataclass(frozen=True)
class Outcome:
    """What a call of the command line left on its two streams, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _signals_as_before():
    """`main` lets SIGTERM and SIGHUP interrupt, unless they are ignored; tests give the handlers back."""
    kept = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def root(tmp_path):
    return make_checkout(tmp_path / "checkout")


@pytest.fixture
def kind():
    """What the lab behind the command line is."""
    return FakeLab


@pytest.fixture
def fake(root, kind):
    """The lab behind the command line; `fake.app` answers for its stacks."""
    app = FakeApp()
    with serving(app):
        fake = kind(root, app)
        fake.shell.script |= DOCKER
        yield fake


@pytest.fixture
def context(fake):
    return Context(
        root=fake.root,
        shell=fake.shell,
        connect=lambda _shell: Engine(fake.client, secrets=fake.root / "secrets"),
        lock=fake.root / "lab.lock",
        taken_by=lambda _port: None,
    )


@pytest.fixture
def cli(context, capsys):
    """Calls the command line with these words."""

    def call(*words):
        capsys.readouterr()
        code = main(words, context=context)
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return call
