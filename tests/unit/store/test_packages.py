"""The lists of packages of a run: each kept once, whatever trials state it."""

from __future__ import annotations

import pytest

from serverlab import store
from serverlab.errors import UsageError
from serverlab.model.records import Packages
from serverlab.model.runs import Problem
from tests.unit.builders import GTHREAD, RUNSERVER, a_plan, a_proof, a_trial, an_environment

ONE, OTHER = {"django": "5.2.19"}, {"django": "5.2.20"}


@pytest.fixture
def path(tmp_path):
    return store.create_run(tmp_path, plan=a_plan(rounds=2), environment=an_environment())


def files(path):
    return sorted(each.name for each in path.iterdir())


def test_a_run_whose_trials_stated_nothing_has_no_packages(path):
    store.keep_packages(path, {}, server="gunicorn")
    assert store.read_packages(path) == Packages()
    assert store.read_packages(path).of("gunicorn") is None
    assert "packages.json" not in files(path)


def test_servers_with_one_list_share_it(path):
    store.keep_packages(path, {"d1": ONE}, server="gunicorn")
    store.keep_packages(path, {"d1": ONE}, server="runserver")
    kept = store.read_packages(path)
    assert kept == Packages(by_server={"gunicorn": "d1", "runserver": "d1"}, lists={"d1": ONE})
    assert (kept.of("gunicorn"), kept.of("daphne")) == (ONE, None)


def test_the_first_list_of_a_server_stays_the_servers_and_others_are_kept_beside_it(path):
    store.keep_packages(path, {"d2": OTHER}, server=None)
    store.keep_packages(path, {"d1": ONE}, server="gunicorn")
    store.keep_packages(path, {"d2": OTHER}, server="gunicorn")
    assert store.read_packages(path) == Packages(by_server={"gunicorn": "d1"}, lists={"d1": ONE, "d2": OTHER})


def test_what_is_kept_already_is_not_written_again(path):
    store.keep_packages(path, {"d1": ONE}, server="gunicorn")
    before = (path / "packages.json").stat()
    store.keep_packages(path, {"d1": ONE}, server="gunicorn")
    assert (path / "packages.json").stat().st_ino == before.st_ino


def test_trials_whose_packages_are_not_there_are_a_problem_of_the_run(path):
    store.keep_packages(path, {"d1": ONE}, server="gunicorn")
    stated = {digest: a_proof(packages=digest) for digest in ("d1", "d2")}
    store.append_trial(path, a_trial(GTHREAD, proof_before=stated["d1"], proof_after=stated["d1"]))
    assert store.read_run(path).problems == ()
    store.append_trial(path, a_trial(RUNSERVER, proof_before=stated["d1"], proof_after=stated["d2"]))
    run = store.read_run(path)
    assert len(run.trials) == 2
    assert run.problems == (
        Problem(
            file="quick/20261122-101500/packages.json",
            line=None,
            message="lacks the packages of r01-profile-c1-runserver.threaded",
        ),
    )


@pytest.mark.parametrize("content", ['{"by_server": {', '{"format": 99}'])
def test_a_file_that_cannot_be_used_is_an_error_with_its_name(path, content):
    (path / "packages.json").write_text(content)
    for use in (store.read_run, store.read_packages):
        with pytest.raises(UsageError, match=r"packages\.json"):
            use(path)
