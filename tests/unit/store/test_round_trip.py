"""Runs written and read back."""

from __future__ import annotations

import errno
import os

import msgspec
import pytest

from serverlab import store
from serverlab.errors import EnvironmentLacks, Exit, UsageError
from serverlab.model.runs import Problem, Run
from tests.unit.builders import (
    GTHREAD,
    RUNSERVER,
    a_plan,
    a_run,
    a_trial,
    a_void_trial,
    an_environment,
    trials,
)

NAME = "quick/20261122-101500/trials.jsonl"


@pytest.fixture
def plan():
    return a_plan(rounds=2)


@pytest.fixture
def path(tmp_path, plan):
    return store.create_run(tmp_path / "results", plan=plan, environment=an_environment())


def append_bytes(path, content):
    with (path / "trials.jsonl").open("ab") as file:
        file.write(content)


def test_what_is_written_is_read_back_alike(path, plan):
    made = [*trials(GTHREAD, 400, 410), a_void_trial(RUNSERVER, reasons=("generator at 91 % CPU",))]
    for trial in made:
        store.append_trial(path, trial)
    assert store.read_run(path) == a_run(made, plan=plan)


def test_a_new_run_lies_under_experiment_and_run_and_holds_no_trials(path, tmp_path, plan):
    assert path == tmp_path / "results" / "quick" / "20261122-101500"
    assert sorted(each.name for each in path.iterdir()) == [
        "environment.json",
        "plan.json",
        "raw",
        "trials.jsonl",
    ]
    assert store.pending(store.read_run(path)) == plan.trials


def test_a_run_that_exists_is_not_begun_again(path, plan):
    with pytest.raises(UsageError, match="there is such a run already"):
        store.create_run(path.parent.parent, plan=plan, environment=an_environment())


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b"])
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="cannot be part of a file name"):
        store.create_run(tmp_path, plan=a_plan(name=name), environment=an_environment())


def test_trials_are_pending_until_they_have_a_line(path, plan):
    store.append_trial(path, a_trial(GTHREAD, round=1))
    store.append_trial(path, a_void_trial(RUNSERVER, round=2, reasons=("died",)))
    assert [each.id for each in store.pending(store.read_run(path))] == [
        "r01-profile-c1-runserver.threaded",
        "r02-profile-c1-gunicorn.gthread",
    ]


def test_a_line_cut_at_the_end_is_reported_and_its_trial_is_pending(path, plan):
    store.append_trial(path, a_trial(GTHREAD))
    append_bytes(path, msgspec.json.encode(a_trial(RUNSERVER))[:200])
    run = store.read_run(path)
    assert run.trials == (a_trial(GTHREAD),)
    assert run.problems == (
        Problem(
            file=NAME,
            line=2,
            message="cut short or damaged (Input data was truncated); trial r01-profile-c1-runserver.threaded "
            "counts as not measured by this line",
        ),
    )
    assert "r01-profile-c1-runserver.threaded" in {each.id for each in store.pending(run)}


def test_a_file_cut_at_any_byte_loses_no_whole_line_and_hides_no_part_of_one(path):
    made = [a_trial(GTHREAD, round=1), a_trial(RUNSERVER, round=1)]
    for trial in made:
        store.append_trial(path, trial)
    whole = (path / "trials.jsonl").read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(len(whole) + 1):
        (path / "trials.jsonl").write_bytes(whole[:length])
        run = store.read_run(path)
        assert len(run.trials) == (length >= first - 1) + (length >= len(whole) - 1)
        assert len(run.problems) == (length not in (0, first - 1, first, len(whole) - 1, len(whole)))


def test_a_trial_measured_again_after_a_cut_line_counts_and_the_cut_line_stays_reported(path):
    append_bytes(path, msgspec.json.encode(a_trial(RUNSERVER))[:200])
    store.append_trial(path, a_trial(RUNSERVER, rps=300))
    run = store.read_run(path)
    assert run.trials == (a_trial(RUNSERVER, rps=300),)
    assert [problem.line for problem in run.problems] == [1]


def test_a_whole_line_without_line_feed_counts(path):
    append_bytes(path, msgspec.json.encode(a_trial(RUNSERVER)))
    store.append_trial(path, a_trial(GTHREAD))
    assert store.read_run(path).trials == (a_trial(RUNSERVER), a_trial(GTHREAD))
    assert store.read_run(path).problems == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"", "Input data was truncated"),
        (b"\0\0\0\0", "JSON is malformed"),
        (b'{"\xff": 1}', "can't decode byte"),
        (b'{"format": "one"}', "Expected `int | null`"),
        (b'{"format": 1, "rps": 12}', "Object contains unknown field `rps`"),
        (b"[1]", "Expected `object`, got `array`"),
    ],
)
def test_a_damaged_line_in_the_middle_is_reported_and_the_others_count(path, line, message):
    store.append_trial(path, a_trial(GTHREAD, round=1))
    append_bytes(path, line + b"\n")
    store.append_trial(path, a_trial(GTHREAD, round=2))
    run = store.read_run(path)
    assert len(run.trials) == 2
    assert [problem.line for problem in run.problems] == [2]
    assert message in run.problems[0].message


def test_of_two_lines_for_one_trial_the_first_counts(path):
    store.append_trial(path, a_trial(GTHREAD, rps=400))
    store.append_trial(path, a_trial(GTHREAD, rps=500))
    run = store.read_run(path)
    assert run.trials == (a_trial(GTHREAD, rps=400),)
    assert [str(problem) for problem in run.problems] == [
        f"{NAME}, line 2: trial r01-profile-c1-gunicorn.gthread was measured before; the earlier line is used"
    ]


def test_a_trial_that_was_not_planned_is_left_out_and_reported(path):
    store.append_trial(path, a_trial("uwsgi:http"))
    run = store.read_run(path)
    assert run.trials == ()
    assert "is not in the plan" in run.problems[0].message


def test_a_trial_that_differs_from_its_plan_is_left_out_and_reported(path):
    trial = a_trial(GTHREAD)
    store.append_trial(
        path, msgspec.structs.replace(trial, planned=msgspec.structs.replace(trial.planned, target=RUNSERVER))
    )
    run = store.read_run(path)
    assert run.trials == ()
    assert "is not what the plan says" in run.problems[0].message


def rewrite(path, name, **changes):
    held = msgspec.json.decode((path / name).read_bytes()) | changes
    (path / name).write_bytes(msgspec.json.encode(held))


@pytest.mark.parametrize("name", ["plan.json", "environment.json"])
def test_a_file_of_another_format_gives_one_sentence(path, name):
    rewrite(path, name, format=2, novelty="unknown to this lab")
    with pytest.raises(UsageError) as caught:
        store.read_run(path)
    assert caught.value.what == (
        f"{path}/{name} has format 2, this lab reads 1: "
        "read it with the version of the lab that wrote it, or measure again."
    )
    assert caught.value.exit_code is Exit.USAGE


def test_a_trial_of_another_format_gives_one_sentence_with_its_line(path):
    store.append_trial(path, a_trial())
    append_bytes(path, b'{"format": 3, "novelty": 1}\n')
    with pytest.raises(UsageError, match=r"trials\.jsonl, line 2, has format 3, this lab reads 1 and 2: "):
        store.read_run(path)


@pytest.mark.parametrize("name", ["plan.json", "environment.json", "trials.jsonl"])
def test_a_missing_file_is_named(path, name):
    (path / name).unlink()
    with pytest.raises(UsageError, match=f"{name}: cannot be read: No such file or directory") as caught:
        store.read_run(path)
    assert caught.value.hint == "A run holds plan.json, environment.json and trials.jsonl."


@pytest.mark.parametrize("name", ["plan.json", "environment.json"])
def test_a_cut_plan_or_environment_is_an_error(path, name):
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UsageError, match=f"{name}: cut short or damaged"):
        store.read_run(path)


def test_raw_text_is_kept_whole_under_its_trial_and_kind(path):
    kept = store.write_raw(
        path, trial_id="r01-profile-c1-gunicorn.gthread+nginx", kind="load.jsonl", text="é\n"
    )
    assert kept == path / "raw" / "r01-profile-c1-gunicorn.gthread+nginx.load.jsonl"
    assert kept.read_text(encoding="utf-8") == "é\n"
    assert [each.name for each in (path / "raw").iterdir()] == [kept.name]


def test_raw_text_that_is_written_again_replaces_the_former(path):
    store.write_raw(path, trial_id="r01", kind="app.log", text="long " * 100)
    assert store.write_raw(path, trial_id="r01", kind="app.log", text="short").read_text() == "short"


def test_a_kind_cannot_lead_out_of_the_folder(path):
    with pytest.raises(UsageError, match="cannot be part of a file name"):
        store.write_raw(path, trial_id="r01", kind="../../plan.json", text="")


def test_a_table_is_kept_beside_the_run(path):
    assert store.write_table(path, text="| a |\n", suffix="md").read_text() == "| a |\n"
    assert (path / "table.md").exists()


def test_a_full_disk_leaves_the_file_as_it_was(path, monkeypatch):
    store.append_trial(path, a_trial(round=1))
    before = (path / "trials.jsonl").read_bytes()
    write = os.write

    def fill_up(descriptor, content):
        if len(content) > 100:
            return write(descriptor, content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", fill_up)
    with pytest.raises(EnvironmentLacks, match="cannot be written: No space left on device"):
        store.append_trial(path, a_trial(round=2, load=None, log_tail=("x" * 101,), usage={}))
    assert (path / "trials.jsonl").read_bytes() == before


def test_an_interrupt_after_the_line_is_written_keeps_it(path, monkeypatch):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.append_trial(path, a_trial())
    assert isinstance(store.read_run(path), Run)
    assert len(store.read_run(path).trials) == 1


def test_a_line_is_on_the_disk_when_append_returns(path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    store.append_trial(path, a_trial())
    assert synced == [(path / "trials.jsonl").stat().st_size]
