"""Making .venv: only when something changed, and with a clear word when this machine cannot."""

import importlib.util
import os
import shlex
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "bootstrap.py"


@pytest.fixture
def bootstrap(tmp_path, monkeypatch):
    """Load the script on a checkout of its own; its commands are noted and make what they would make."""
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    (tmp_path / "requirements").mkdir()
    for name in ("pyproject.toml", "requirements/lab.txt", "requirements/dev.txt"):
        (tmp_path / name).write_text(name)
    script.ran = []

    def run(argv, complaint):
        script.ran.append(shlex.join(argv).replace(str(tmp_path), "ROOT").replace(sys.executable, "python"))
        script.PYTHON.parent.mkdir(parents=True, exist_ok=True)
        script.PYTHON.touch()

    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(script, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(script, "run", run)
    monkeypatch.setattr(script, "venv_works", (tmp_path / ".venv/bin/python").exists)
    return script


PIP = "ROOT/.venv/bin/python -m pip --disable-pip-version-check install -qq"
MAKE_VENV = "python -m venv --clear ROOT/.venv"
INSTALL_ITSELF = f"{PIP} --no-build-isolation --no-deps --editable ROOT"


def test_the_first_call_makes_everything_from_hashed_requirements(bootstrap):
    assert bootstrap.main([]) == 0
    assert bootstrap.ran == [
        MAKE_VENV,
        f"{PIP} --require-hashes -r ROOT/requirements/lab.txt",
        INSTALL_ITSELF,
    ]


def test_a_second_call_does_nothing(bootstrap):
    bootstrap.main([])
    bootstrap.ran.clear()
    assert bootstrap.main([]) == 0
    assert bootstrap.ran == []


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements/lab.txt"])
def test_a_change_installs_again_into_the_same_environment(bootstrap, name):
    bootstrap.main([])
    bootstrap.ran.clear()
    (bootstrap.ROOT / name).write_text("changed")
    bootstrap.main([])
    assert bootstrap.ran == [f"{PIP} --require-hashes -r ROOT/requirements/lab.txt", INSTALL_ITSELF]


def test_a_lost_environment_is_made_again(bootstrap):
    bootstrap.main([])
    bootstrap.ran.clear()
    bootstrap.PYTHON.unlink()
    bootstrap.main([])
    assert bootstrap.ran[0] == MAKE_VENV


def test_what_developers_need_holds_what_the_lab_needs(bootstrap):
    bootstrap.main(["dev"])
    bootstrap.ran.clear()
    bootstrap.main(["lab"])
    assert bootstrap.ran == []


def test_what_the_lab_needs_is_not_enough_for_developers(bootstrap):
    bootstrap.main(["lab"])
    bootstrap.ran.clear()
    bootstrap.main(["dev"])
    assert bootstrap.ran[0] == f"{PIP} --require-hashes -r ROOT/requirements/dev.txt"


def test_a_failed_installation_is_tried_again_next_time(bootstrap, capsys, monkeypatch):
    def fail(argv, complaint):
        raise bootstrap.Missing(complaint)

    with monkeypatch.context() as broken:
        broken.setattr(bootstrap, "run", fail)
        assert bootstrap.main([]) == 3
    assert "setup: the virtual environment could not be made" in capsys.readouterr().err
    assert bootstrap.main([]) == 0
    assert bootstrap.ran


def test_an_old_python_is_told_how_to_name_a_newer_one(bootstrap, capsys, monkeypatch):
    monkeypatch.setattr(bootstrap, "OLDEST_PYTHON", (99, 1))
    assert bootstrap.main([]) == 3
    assert "Python 99.1 or newer is needed" in capsys.readouterr().err
    assert bootstrap.ran == []


def test_a_wrong_word_is_wrong_usage(bootstrap, capsys):
    assert bootstrap.main(["everything"]) == 2
    assert capsys.readouterr().err == "usage: bootstrap.py [lab | dev]\n"


def test_without_the_venv_module_the_package_is_named(bootstrap, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert bootstrap.main([]) == 3
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert f"`apt-get install {package}`" in capsys.readouterr().err
    assert bootstrap.ran == []
