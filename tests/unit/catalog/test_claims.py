"""Files of claims: what is wrong in one is told at once, with the names that there are."""

from __future__ import annotations

import pytest

from serverlab.catalog import load_catalog
from serverlab.catalog.claims import Names, claim_mistakes, load_claims
from serverlab.errors import UsageError
from tests.checkout import make_checkout

NAMES = Names(attacks=["A1-01"], faults=["F-01"], cases=["H-01", "H-02"])
HEAD = """\
format = 1
topic = "Servers"
sentence = "Threads are faster."
said_by = "Many."
why = "It decides."
how = "Both are asked."
critic = "It is one machine."
test = ["serverlab run experiments/quick.toml"]
"""
RATIO = """\
[ratio.faster]
says = "They are faster."
experiment = "quick"
of = { target = "gunicorn:gthread", workload = "profile" }
to = { target = "runserver:threaded", workload = "profile" }
bound = { above = 1.1 }
"""
RULE = """\
[[outcomes]]
when = { faster = "yes" }
verdict = "holds"
because = "They were."
"""


@pytest.fixture
def root(tmp_path):
    root = make_checkout(tmp_path)
    (root / "claims").mkdir()
    return root


def mistakes(root, text):
    path = root / "claims" / "it.toml"
    path.write_text(text, encoding="utf-8")
    found = claim_mistakes(path, load_catalog(root), NAMES)
    return [each.removeprefix(f"{path}: ") for each in found]


def test_a_claim_without_a_mistake_can_be_loaded(root):
    assert mistakes(root, HEAD + RATIO + RULE) == []
    assert load_claims(root)["it"].sentence == "Threads are faster."


def test_a_kind_of_condition_that_there_is_not_is_told_with_those_that_there_are(root):
    unknown = RATIO.replace("[ratio.", "[rate.")
    (found,) = mistakes(root, HEAD + unknown + RULE)
    assert found.startswith("rate: unknown key, did you mean 'ratio'? (known: format, topic, ")
    with pytest.raises(UsageError, match="rate: unknown key"):
        load_claims(root)


def test_every_name_is_looked_up(root):
    text = (
        HEAD
        + """\
[ratio.faster]
says = "They are faster."
experiment = "quik"
of = { target = "gunicorn:gthread", workload = "profile" }
to = { target = "runserver:threaded", workload = "profile" }
bound = { above = 1.1 }

[value.many]
says = "Many."
experiment = "quick"
of = { target = "gunicorn", workload = "profil", cpus = 4 }
metric = "rps"
bound = { above = 0 }

[attack.held]
says = "It holds."
attack = "A1-02"
targets = ["gunicorn:threads"]
verdict = "pass"

[fault.back]
says = "It comes back."
fault = "F-02"
targets = []
measured = "well_again"

[framing.apart]
says = "It keeps them apart."
cases = ["H-0", "H-9"]
targets = ["gunicorn:sync"]
counted = "smuggled"
bound = { above = 1, below = 2 }

[[outcomes]]
when = { faster = "yes", many = "yes", held = "yes", back = "yes", appart = "no" }
verdict = "holds"
because = "All of it."
"""
    )
    assert mistakes(root, text) == [
        "faster: experiment: no experiment 'quik' that measures, did you mean 'quick'?",
        "many: of: target 'gunicorn': write it in full, 'gunicorn:gthread'",
        "many: of: workload: profil is none of the experiment's, did you mean 'profile'?",
        "many: of: cpus: 4 is none of the experiment's",
        "many: bound: what is timed is above 0 anyhow",
        "held: unknown attack 'A1-02', did you mean 'A1-01'?",
        "held: 'gunicorn:threads': unknown variant of gunicorn 'threads', did you mean 'gthread'?",
        "back: unknown fault 'F-02', did you mean 'F-01'?",
        "back: targets: at least one",
        "back: give either a verdict, or both measured and bound",
        "apart: cases: no case begins with 'H-9'",
        "apart: bound: exactly one of above, below, within",
        "outcomes[0].when: unknown condition 'appart', did you mean 'apart'?",
        "apart: no outcome asks for this condition",
    ]


def test_a_rule_that_says_two_things_of_the_same_answers_is_told(root):
    second = RULE.replace("holds", "does not hold")
    assert mistakes(root, HEAD + RATIO + RULE + second) == ["outcomes[0] and outcomes[1] can both fit"]
    assert mistakes(root, HEAD + RATIO + RULE + second.replace('"yes"', '"no"')) == []


def test_that_a_claim_is_open_cannot_be_written_down_nor_decided_by_what_is_not_shown(root):
    (typed,) = mistakes(root, HEAD + RATIO + RULE.replace('"holds"', '"open"'))
    assert typed.startswith("outcomes[0].verdict: Invalid enum value 'open'")
    (tie,) = mistakes(root, HEAD + RATIO + RULE.replace('"yes"', '"open"'))
    assert tie.startswith("outcomes[0].when.faster: Invalid enum value 'open'")


def test_an_outcome_without_conditions_and_a_claim_without_a_test_are_told(root):
    head = HEAD.replace('["serverlab run experiments/quick.toml"]', "[]")
    rule = RULE.replace('{ faster = "yes" }', "{}")
    assert mistakes(root, head + RATIO + rule) == [
        "outcomes[0]: without a condition it would hold whatever is found",
        "faster: no outcome asks for this condition",
        "test: at least one command that makes the evidence",
    ]


def test_two_conditions_of_one_name_are_told(root):
    value = """\
[value.faster]
says = "Many."
experiment = "quick"
of = { target = "runserver:threaded", workload = "profile" }
metric = "rps"
bound = { above = 10 }
"""
    assert mistakes(root, HEAD + RATIO + value + RULE) == ["faster: two conditions have this name"]
