"""`serverlab attack`: what is found is saved and judged."""

from __future__ import annotations

import json

import docker.errors
import pytest

from serverlab.attacks import ATTACKS
from serverlab.catalog import load_catalog
from serverlab.errors import Exit
from tests.checkout import GUNICORN, write

DIFFERENCE = """
[[differences]]
attack = "A2-21"
seen = "^401"
why = "Everything wants a token here."
"""


WRONG_TOKEN = ATTACKS["A2-21"]


def lines_in(root):
    (found,) = root.glob("results/attacks/*/attacks.jsonl")
    return [json.loads(line) for line in found.read_text().splitlines()]


def test_a_target_that_holds_an_attack_off_ends_well(cli, fake):
    fake.app.statuses["/api/ping/"] = 200
    outcome = cli("attack", "gunicorn", "--only", "A2-21")
    assert (outcome.code, outcome.out) == (Exit.OK, "1 finding: 1 pass\n")
    (finding,) = lines_in(fake.root)
    wanted = {"format": 2, "attack": "A2-21", "target": "gunicorn:gthread", "verdict": "pass"}
    assert wanted.items() <= finding.items()
    assert fake.client.containers.things == []


def test_what_the_attacks_are_is_saved_once_beside_what_they_find(cli, fake):
    cli("attack", "gunicorn", "runserver", "--only", "A2-21")
    (found,) = fake.root.glob("results/attacks/*/attacks.json")
    wanted = {"title": WRONG_TOKEN.title, "expected": WRONG_TOKEN.expected, "profile": WRONG_TOKEN.profile}
    assert json.loads(found.read_text())["attacks"] == {"A2-21": wanted}
    assert [wanted.keys() & each.keys() for each in lines_in(fake.root)] == [set(), set()]


def test_an_attack_that_succeeds_is_told_and_is_exit_code_1(cli, fake):
    outcome = cli("attack", "gunicorn", "--only", "A2-21")
    assert outcome.code == Exit.VERDICT_FAILED
    assert outcome.out == (
        "fail     gunicorn:gthread  A2-21  a wrong token on a view for everybody: 401, without a token 401: "
        "a view for everybody looks at no token\n1 finding: 1 fail\n"
    )


def test_an_engine_that_no_longer_answers_ends_the_attacks(cli, fake):
    def refuses():
        raise docker.errors.APIError("500 Server Error")

    fake.trouble["up 1"] = refuses
    outcome = cli("attack", "gunicorn", "--only", "A2-21")
    assert outcome.code == Exit.ENVIRONMENT
    assert "the container engine no longer answers as it should: 500 Server Error" in outcome.err
    assert lines_in(fake.root) == []
    assert fake.client.containers.things == []


def test_a_difference_that_the_definition_expects_ends_well(cli, fake):
    write(fake.root, "deploy/gunicorn/server.toml", GUNICORN + DIFFERENCE)
    outcome = cli("attack", "gunicorn", "--only", "A2-21")
    assert (outcome.code, outcome.out) == (Exit.OK, "1 finding: 1 difference\n")
    assert lines_in(fake.root)[0]["verdict"] == "fail"


def test_without_names_every_target_is_attacked(cli, fake):
    fake.app.statuses["/api/ping/"] = 200
    cli("attack", "--only", "A2-21")
    every = [str(target) for target in load_catalog(fake.root).targets()]
    assert len(every) > 2
    assert [each["target"] for each in lines_in(fake.root)] == every


def test_a_target_that_is_named_twice_is_attacked_once(cli, fake):
    fake.app.statuses["/api/ping/"] = 200
    cli("attack", "gunicorn", "gunicorn:gthread", "--only", "A2-21")
    assert [each["target"] for each in lines_in(fake.root)] == ["gunicorn:gthread"]


def test_a_machine_reads_json(cli, fake):
    fake.app.statuses["/api/ping/"] = 200
    document = json.loads(cli("attack", "gunicorn", "--only", "A2-21", "--json").out)
    assert [each["attack"] for each in document["findings"]] == ["A2-21"]
    assert document["attacks"]["A2-21"]["title"] == WRONG_TOKEN.title


@pytest.mark.parametrize("only", ["B9", "A1,", ""])
def test_an_unknown_attack_is_wrong_usage(cli, only):
    outcome = cli("attack", "gunicorn", "--only", only)
    assert outcome.code == Exit.USAGE
    assert "no attack" in outcome.err


def test_a_wrong_difference_is_told_by_check(cli, fake):
    wrong = DIFFERENCE.replace("^401", "(").replace('why = "', 'variants = ["async"]\nwhy = "')
    write(
        fake.root, "deploy/gunicorn/server.toml", GUNICORN + wrong + "direct = false\nbehind_edge = false\n"
    )
    outcome = cli("check")
    assert outcome.code == Exit.USAGE
    for mistake in ("unknown variant 'async'", "it never applies", "seen: not a regular expression"):
        assert "differences[0]" in outcome.err + outcome.out
        assert mistake in outcome.err + outcome.out
