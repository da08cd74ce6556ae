"""Attacks written and read back."""

from __future__ import annotations

import msgspec
import pytest

from serverlab import store
from serverlab.errors import UsageError
from serverlab.model.security import AssaultPlan, PlannedAttack, Verdict
from serverlab.store.sealing import opened, sealed
from tests.unit.attacks.records import a_finding, an_assault

RUN = "20261122-101500"
FAILED = a_finding("T-01", verdict=Verdict.FAIL, reason="too late", measured={"refused_after_s": 0.5})
ASSAULT = an_assault(a_finding(), FAILED)

IN_FULL = (
    (
        b'{"attack":"A1-01","title":"attack A1-01","expected":"401","profile":"open","target":"gunicorn:gthread",'
        b'"verdict":"pass","seen":"401","reason":"","wall_s":0.1,"measured":{},"format":1}'
    ),
    (
        b'{"attack":"T-01","title":"attack T-01","expected":"401","profile":"open","target":"gunicorn:gthread",'
        b'"verdict":"fail","seen":"401","reason":"too late","wall_s":0.1,"measured":{"refused_after_s":0.5},'
        b'"format":1}'
    ),
)
"""The lines of ASSAULT as they were written before there was a plan."""


@pytest.fixture
def path(tmp_path):
    plan = AssaultPlan(attacks=ASSAULT.attacks)
    return store.create_assault(tmp_path, plan=plan, environment=ASSAULT.environment)


@pytest.fixture
def older(path):
    """A folder without a plan, all of whose lines are of format 1."""
    (path / "attacks.json").unlink()
    (path / "attacks.jsonl").write_bytes(b"".join(sealed(line) + b"\n" for line in IN_FULL))
    return path


def test_what_is_written_is_read_back_alike(path, tmp_path):
    for finding in ASSAULT.findings:
        store.append_finding(path, finding)
    assert path == tmp_path / "attacks" / RUN
    assert store.read_assault(path) == ASSAULT


def test_a_line_holds_what_was_found_and_nothing_that_is_empty(path):
    for finding in ASSAULT.findings:
        store.append_finding(path, finding)
    assert [opened(line) for line in (path / "attacks.jsonl").read_bytes().splitlines()] == [
        b'{"format":2,"attack":"A1-01","target":"gunicorn:gthread","verdict":"pass","seen":"401","wall_s":0.1}',
        (
            b'{"format":2,"attack":"T-01","target":"gunicorn:gthread","verdict":"fail","seen":"401","wall_s":0.1,'
            b'"reason":"too late","measured":{"refused_after_s":0.5}}'
        ),
    ]


def test_what_an_older_lab_wrote_is_read_with_what_its_lines_say_of_their_attacks(older):
    assert store.read_assault(older) == ASSAULT


def test_the_words_of_an_attack_are_those_that_it_was_put_in(older):
    first = PlannedAttack(title="attack A1-01", expected="401", profile="open")
    with (older / "attacks.jsonl").open("ab") as file:
        file.write(IN_FULL[0].replace(b'"expected":"401"', b'"expected":"403"') + b"\n")
    assault = store.read_assault(older)
    assert assault.attacks["A1-01"] == first
    assert [each.attack for each in assault.findings] == ["A1-01", "T-01", "A1-01"]


def test_a_line_that_was_cut_short_is_told_and_the_others_are_kept(path):
    store.append_finding(path, a_finding())
    with (path / "attacks.jsonl").open("ab") as file:
        file.write(b'{"attack": "A1-0')
    store.append_finding(path, FAILED)
    assault = store.read_assault(path)
    assert [each.attack for each in assault.findings] == ["A1-01", "T-01"]
    assert [(each.file, each.line) for each in assault.problems] == [(f"attacks/{RUN}/attacks.jsonl", 2)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"format":2,"attack":"A1-01"}', "Object missing required field `target`"),
        (IN_FULL[0].replace(b'"format":1', b'"format":2'), "Object contains unknown field `title`"),
        (IN_FULL[0].replace(b'"title":"attack A1-01",', b""), "Expected `str`, got `null` - at `$.title`"),
        (b"[2]", "Expected `object`, got `array`"),
    ],
    ids=["without a target", "with words in a brief line", "without a title in a full one", "no object"],
)
def test_a_line_of_another_form_is_told(path, line, why):
    (path / "attacks.jsonl").write_bytes(line + b"\n")
    (problem,) = store.read_assault(path).problems
    assert problem.message == f"cut short or damaged ({why}); its finding is missing"


def test_a_finding_of_an_attack_that_was_not_planned_is_left_out_and_told(path):
    store.append_finding(path, a_finding("A1-02"))
    assault = store.read_assault(path)
    assert assault.findings == ()
    assert [each.message for each in assault.problems] == ["attack A1-02 is not in attacks.json; left out"]


def test_findings_without_their_plan_are_refused(path):
    store.append_finding(path, a_finding())
    (path / "attacks.json").unlink()
    with pytest.raises(UsageError) as refused:
        store.read_assault(path)
    assert (
        refused.value.what
        == f"{path}/attacks.json: missing; attacks.jsonl needs it, for what each attack was"
    )
    assert refused.value.hint == "Copy it from where the attacks were made, or make them again."


def test_a_broken_plan_is_refused(path):
    (path / "attacks.json").write_bytes(b'{"attacks": {"A1-01": {"title": "one"}}}')
    with pytest.raises(
        UsageError, match=r"attacks\.json: cut short or damaged: Object missing required field"
    ):
        store.read_assault(path)


@pytest.mark.parametrize(
    ("name", "place", "reads"),
    [("attacks.json", "", "1"), ("attacks.jsonl", ", line 1,", "1 and 2")],
    ids=["the plan", "a line"],
)
def test_another_format_gives_one_sentence(path, name, place, reads):
    (path / name).write_bytes(msgspec.json.encode({"format": 3, "novelty": 1}))
    with pytest.raises(UsageError) as refused:
        store.read_assault(path)
    assert refused.value.what == (
        f"{path}/{name}{place} has format 3, this lab reads {reads}: "
        "read it with the version of the lab that wrote it, or measure again."
    )


def test_attacks_are_no_run_of_an_experiment(path, tmp_path):
    with pytest.raises(UsageError):
        store.find_run(tmp_path)


def test_a_folder_without_attacks_is_a_mistake(tmp_path):
    with pytest.raises(UsageError, match=r"environment\.json"):
        store.read_assault(tmp_path)
