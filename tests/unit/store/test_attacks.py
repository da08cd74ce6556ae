"""Attacks written and read back."""

from __future__ import annotations

import pytest

from serverlab import store
from serverlab.errors import UsageError
from serverlab.model.security import Verdict
from tests.unit.attacks.records import a_finding, an_assault

RUN = "20261122-101500"


@pytest.fixture
def path(tmp_path):
    return store.create_assault(tmp_path, environment=an_assault().environment)


def test_what_is_written_is_read_back_alike(path, tmp_path):
    findings = [a_finding(), a_finding("T-01", measured={"refused_after_s": 0.5}, verdict=Verdict.NA)]
    for finding in findings:
        store.append_finding(path, finding)
    assert path == tmp_path / "attacks" / RUN
    assert store.read_assault(path) == an_assault(*findings)


def test_a_line_that_was_cut_short_is_told_and_the_others_are_kept(path):
    store.append_finding(path, a_finding())
    with (path / "attacks.jsonl").open("ab") as file:
        file.write(b'{"attack": "A1-0')
    store.append_finding(path, a_finding("A1-02"))
    assault = store.read_assault(path)
    assert [each.attack for each in assault.findings] == ["A1-01", "A1-02"]
    assert [(each.file, each.line) for each in assault.problems] == [(f"attacks/{RUN}/attacks.jsonl", 2)]


def test_attacks_are_no_run_of_an_experiment(path, tmp_path):
    with pytest.raises(UsageError):
        store.find_run(tmp_path)


def test_a_folder_without_attacks_is_a_mistake(tmp_path):
    with pytest.raises(UsageError, match=r"environment\.json"):
        store.read_assault(tmp_path)
