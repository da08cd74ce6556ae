"""Django's server as its documentation starts it: what the row makes of what the container printed."""

import json
from types import SimpleNamespace

import pytest

from serverlab.attacks import development
from serverlab.model.definitions import Target
from serverlab.model.security import Verdict
from tests.unit.attacks.sites import Site, a_stage

DEBUG_PAGE = "500 <h1>RuntimeError at /lab/error</h1> /app/lab/faults.py"
JSON_PAGE = '500 {"detail": "Something went wrong."}'


def outcome_of(*told, target="runserver:threaded", distribution="Django", code=0):
    said = json.dumps([{"page": page, "again": again} for page, again in told])
    container = SimpleNamespace(
        exec_run=lambda *_, **__: SimpleNamespace(exit_code=code, output=said.encode())
    )
    stage = a_stage(Site(), container=container)
    stage.settings.target = Target.parse(target)
    stage.expected.server = SimpleNamespace(distribution=distribution, default_variant="threaded")
    return development.as_documented(stage)


def test_what_the_documentation_starts_fails_and_tells_what_it_does():
    found = outcome_of((DEBUG_PAGE, True), (JSON_PAGE, False))
    assert found.verdict is Verdict.FAIL
    assert found.seen == (
        "as documented: debug page, restarts; with DEBUG off and --noreload: no debug page, no restart"
    )
    assert found.measured == {
        "shows_inside": 1.0,
        "restarts": 1.0,
        "tamed_shows_inside": 0.0,
        "tamed_restarts": 0.0,
    }


def test_a_server_that_does_neither_passes():
    assert outcome_of((JSON_PAGE, False), (JSON_PAGE, False)).verdict is Verdict.PASS


def test_one_that_restarts_although_it_was_told_not_to_is_seen():
    found = outcome_of((DEBUG_PAGE, True), (JSON_PAGE, True))
    assert found.measured["tamed_restarts"] == 1.0
    assert found.seen.endswith("no debug page, restarts")


@pytest.mark.parametrize("page", ["", "404 not found", "200 fine"])
def test_without_the_error_that_was_asked_for_nothing_is_known(page):
    with pytest.raises(OSError, match="a view that fails was answered with"):
        outcome_of((page, True), (JSON_PAGE, False))


def test_a_program_that_broke_off_says_nothing():
    with pytest.raises(OSError, match="could not be tried"):
        outcome_of((DEBUG_PAGE, True), (JSON_PAGE, False), code=1)


@pytest.mark.parametrize(
    ("target", "distribution"),
    [
        ("gunicorn:gthread", "gunicorn"),
        ("runserver:threaded+nginx", "Django"),
        ("runserver:nothreading", "Django"),
    ],
)
def test_it_is_asked_once_and_of_djangos_server_only(target, distribution):
    found = outcome_of((DEBUG_PAGE, True), target=target, distribution=distribution)
    assert found.verdict is Verdict.NA
