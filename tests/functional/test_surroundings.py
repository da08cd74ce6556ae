"""The lab works wherever it lies, whatever the terminal and the locale are, and without either."""

import sys

import pytest

from serverlab import store
from serverlab.cli.context import Context
from serverlab.cli.main import main
from serverlab.compose import Engine
from serverlab.shell import HostShell
from tests.checkout import make_checkout
from tests.fake_app import FakeApp, serving
from tests.fake_lab import FakeLab
from tests.functional.conftest import DOCKER
from tests.unit.builders import GTHREAD, RUNSERVER, a_plan, a_trial, an_environment

SERVERLAB = [sys.executable, "-c", "import sys; from serverlab.cli.main import main; sys.exit(main())"]
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}


@pytest.fixture
def stored(tmp_path):
    """A run in a folder whose name is not ASCII."""
    path = store.create_run(tmp_path / "rés ☃", plan=a_plan(), environment=an_environment())
    for target in (GTHREAD, RUNSERVER):
        store.append_trial(path, a_trial(target))
    return path


@pytest.mark.parametrize("name", ["a lab", "läb ☃ 実験", "it's $HOME;"])
def test_a_checkout_may_lie_in_any_folder(tmp_path, capsys, name):
    app = FakeApp()
    with serving(app):
        fake = FakeLab(make_checkout(tmp_path / name), app)
        fake.shell.script |= DOCKER
        context = Context(
            root=fake.root,
            shell=fake.shell,
            connect=lambda _shell: Engine(fake.client, secrets=fake.root / "secrets"),
            lock=tmp_path / "lock",
        )
        assert main(["run", "quick", "--rounds", "1"], context=context) == 0
    assert "gunicorn:gthread" in capsys.readouterr().out


@pytest.mark.parametrize(
    "environment",
    [
        ASCII,
        ASCII | {"PYTHONIOENCODING": "latin-1"},
        {"NO_COLOR": "1"},
        {"TERM": "dumb"},
        {"FORCE_COLOR": "1"},
    ],
    ids=["ascii", "latin-1", "NO_COLOR", "dumb", "FORCE_COLOR"],
)
def test_a_table_is_printed_without_a_terminal_in_any_locale_from_a_folder_that_nobody_may_write(
    stored, environment
):
    printed = HostShell().run(
        [*SERVERLAB, "compare", str(stored)], env=environment, cwd="/proc", timeout_s=60
    )
    assert (printed.returncode, "Traceback" in printed.stderr) == (0, False)
    assert "gunicorn:gthread" in printed.stdout
    assert "\x1b" not in printed.stdout + printed.stderr
    if environment.get("PYTHONIOENCODING") == "ascii":
        assert "\\u2013" in printed.stdout


def test_without_an_engine_it_is_said_what_still_works(tmp_path):
    (tmp_path / "bin").mkdir()
    asked = HostShell().run([*SERVERLAB, "ps"], env={"PATH": str(tmp_path / "bin")}, timeout_s=60)
    assert (asked.returncode, asked.stdout) == (3, "")
    assert asked.stderr == (
        "serverlab: the container engine does not answer: there is no `docker` command on the PATH\n"
        "Run `make engine`, or start Docker; `serverlab doctor` tells what is wrong. "
        "Without one `compare`, `report`, `list` and `check` work.\n"
    )


def test_a_dead_socket_is_one_message(tmp_path):
    asked = HostShell().run(
        [*SERVERLAB, "ps"], env={"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}, timeout_s=60
    )
    assert (asked.returncode, asked.stdout) == (3, "")
    assert asked.stderr.startswith("serverlab: the container engine does not answer: ")
    assert asked.stderr.endswith(" Without one `compare`, `report`, `list` and `check` work.\n")
    assert "Traceback" not in asked.stderr


def test_the_lab_asks_its_own_stacks_past_any_proxy(cli, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert cli("up", "gunicorn").code == 0


def test_addresses_are_numbers_so_that_no_name_may_mean_ipv6(cli, fake):
    assert cli("up", "gunicorn").out == f"http: http://127.0.0.1:{fake.app.port}\n"
