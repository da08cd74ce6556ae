"""The verb that judges popular sentences, by what is published and by what it makes itself."""

from __future__ import annotations

import json

import pytest

from serverlab import store
from tests.unit.builders import GTHREAD, RUNSERVER, a_plan, a_workload, an_environment, trials

CLAIM = """\
format = 1
topic = "Servers"
sentence = "runserver is slower."
said_by = "Many."
why = "It decides."
how = "Both are asked."
critic = "It is one machine."
test = ["serverlab run experiments/quick.toml --rounds 3"]

[ratio.slower]
says = "It is slower."
experiment = "quick"
of = { target = "runserver:threaded", workload = "profile" }
to = { target = "gunicorn:gthread", workload = "profile" }
bound = { below = 0.9 }

[[outcomes]]
when = { slower = "yes" }
verdict = "holds"
because = "It was."

[[outcomes]]
when = { slower = "no" }
verdict = "does not hold"
because = "It was not."
"""

HOLDS = """\
runserver-slower: runserver is slower.
  holds: It was.
    yes        slower: rps: runserver:threaded · profile · 1 CPU over gunicorn:gthread · profile · 1 CPU, below 0.9; \
0.50 [0.50–0.50], 3 rounds
               quick/20261122-101500
"""


@pytest.fixture(autouse=True)
def _claims(root):
    (root / "claims").mkdir()
    (root / "claims" / "runserver-slower.toml").write_text(CLAIM, encoding="utf-8")


def publish(root, description, *, folder="results/reference"):
    """Three rounds in which runserver made half of Gunicorn's requests per second."""
    plan = a_plan(rounds=3, workload=a_workload(description=description))
    path = store.create_run(root / folder, plan=plan, environment=an_environment())
    for trial in (*trials(GTHREAD, 400.0, 401.0, 399.0), *trials(RUNSERVER, 200.0, 200.5, 199.5)):
        store.append_trial(path, trial)


@pytest.fixture
def today(context):
    return context.catalog.workload("profile").description


def test_a_claim_that_is_decided_ends_with_0_and_shows_its_numbers(cli, root, today):
    publish(root, today)
    found = cli("claims")
    assert (found.code, found.out) == (0, HOLDS)


def test_a_claim_without_evidence_is_open_and_ends_with_5(cli):
    found = cli("claims", "--json")
    (told,) = json.loads(found.out)
    assert (found.code, told["name"], told["verdict"], told["because"]) == (5, "runserver-slower", "open", "")
    (condition,) = told["conditions"]
    assert (condition["answer"], condition["reason"]) == ("open", "no run of the experiment quick has it")


def test_own_runs_count_only_when_they_are_asked_for(cli, root, today):
    publish(root, today, folder="results")
    assert cli("claims").code == 5
    assert (cli("claims", "--own").code, cli("claims", "--own").out) == (0, HOLDS)


def test_the_evidence_is_made_anew_by_the_commands_of_the_claim_and_older_runs_do_not_count(cli, root, today):
    publish(root, today, folder="results")
    found = cli("claims", "--only", "runserver-slower", "--run", "--json")
    assert found.code in (0, 5), found.err
    (told,) = json.loads(found.out)
    (condition,) = told["conditions"]
    (evidence,) = condition["evidence"]
    assert evidence.startswith("quick/")
    assert evidence != "quick/20261122-101500"
    assert condition["rounds"] == 3
    assert "evidence: serverlab run experiments/quick.toml --rounds 3" in found.err


def test_all_claims_are_not_run_at_once(cli):
    found = cli("claims", "--run")
    assert (found.code, "Say which: --only NAME --run" in found.err) == (2, True)


def test_an_unknown_name_is_told_with_the_known_ones(cli):
    found = cli("claims", "--only", "runserver-slow")
    assert found.code == 2
    assert "no claim 'runserver-slow', did you mean 'runserver-slower'?" in found.err


def test_a_command_that_cannot_be_run_ends_the_verb_with_its_error(cli, root):
    (root / "claims" / "runserver-slower.toml").write_text(
        CLAIM.replace("quick.toml", "gone.toml"), encoding="utf-8"
    )
    found = cli("claims", "--only", "runserver-slower", "--run")
    assert (found.code, "gone.toml: no such file" in found.err) == (2, True)


def test_check_reads_claims_and_tells_all_mistakes_in_them(cli, root):
    assert "1 claim: no mistake found" in cli("check").out
    broken = (
        CLAIM.replace("below = 0.9", "below = 0")
        .replace("--rounds 3", "--round 3")
        .replace("gunicorn:", "unicorn:")
    )
    (root / "claims" / "runserver-slower.toml").write_text(broken, encoding="utf-8")
    found = cli("check")
    assert found.code == 2
    told = [line for line in found.err.splitlines() if "claims/" in line]
    assert [line.partition(".toml: ")[2].partition(",")[0] for line in told] == [
        "slower: to: 'unicorn:gthread': unknown server 'unicorn'",
        "slower: bound: what is timed is above 0 anyhow",
        "test: 'serverlab run experiments/quick.toml --round 3': Unknown option: --round. Did you mean --rounds?",
    ]
