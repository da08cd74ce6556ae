"""Claims as they stand on their page, and as a terminal shows them."""

from __future__ import annotations

import pytest

from serverlab import store
from serverlab.catalog import load_catalog
from serverlab.errors import UsageError
from serverlab.reports import render_docs, stale
from serverlab.reports.claims import claim_lines, judged_claims, named
from serverlab.store.evidence import read_holdings
from tests.checkout import make_checkout
from tests.unit.builders import GTHREAD, RUNSERVER, a_plan, a_workload, an_environment, trials

CLAIM = """\
format = 1
topic = "runserver"
sentence = "runserver_plus is slower."
said_by = "Many, and the vendor."
links = ["https://example.org/slow"]
why = "It decides."
how = "Both are asked."
critic = "It is one machine."
test = ["serverlab run experiments/quick.toml"]

[ratio.slower]
says = "It is slower."
experiment = "quick"
of = { target = "runserver:threaded", workload = "profile" }
to = { target = "gunicorn:gthread", workload = "profile" }
bound = { below = 0.9 }

[missing.leaks]
says = "It leaks."
needs = "a run of hours"

[[outcomes]]
when = { slower = "no" }
verdict = "does not hold"
because = "It was not."

[[outcomes]]
when = { slower = "yes", leaks = "no" }
verdict = "depends on"
because = "On time."
"""

PAGE = """\
# Claims

<!-- claims: claims -->
<!-- /claims -->

<!-- claim: it -->
<!-- /claim -->
"""

OVERVIEW = """\
<!-- claims: claims -->
1 sentences: 0 holds, 0 does not hold, 0 depends, 1 open.

| topic | sentence | verdict | because, or what is missing |
| :-- | :-- | :-- | :-- |
| runserver | [runserver\\_plus is slower.](#runserver_plus-is-slower) | open | leaks: needs a run of hours |
<!-- /claims -->
"""

RENDERED = """\
<!-- claim: it -->
### runserver\\_plus is slower.

**Open: there is not enough evidence.**

- Who says it: Many, and the vendor. <https://example.org/slow>
- Why it matters: It decides.
- How it is tested: Both are asked.
- What can be said against it: It is one machine.

|  | what would have to be so | held against | found | shown | evidence |
| :-- | :-- | :-- | :-- | :-- | :-- |
| slower | It is slower. | rps: runserver:threaded · profile · 1 CPU over gunicorn:gthread · profile · 1 CPU, \
below 0.9 | \
0.50 \\[0.50–0.50\\], 3 rounds | yes | `quick/20261122-101500` |
| leaks | It leaks. | – | – | not shown | – |

Not shown:

- leaks: needs a run of hours

The rule; where none of its lines fits, the claim is open:

- slower: no → does not hold
- slower: yes, leaks: no → depends

What is missing no command can make yet; to make the rest anew, all at once or step by step:

    serverlab claims --only it --run
    serverlab run experiments/quick.toml
<!-- /claim -->
"""

TERMINAL = """\
it: runserver_plus is slower.
  does not hold: It was not.
    no         slower: rps: runserver:threaded · profile · 1 CPU over gunicorn:gthread · profile · 1 CPU, \
below 0.9; 2.00 [1.99–2.02], 3 rounds
               quick/20261122-111500
    not shown  leaks: needs a run of hours"""


@pytest.fixture
def root(tmp_path):
    root = make_checkout(tmp_path)
    (root / "claims").mkdir()
    (root / "claims" / "it.toml").write_text(CLAIM, encoding="utf-8")
    (root / "docs").mkdir(exist_ok=True)
    (root / "docs" / "claims.md").write_text(PAGE, encoding="utf-8")
    publish(root, (200.0, 200.5, 199.5))
    return root


def publish(root, rates, **changes):
    description = load_catalog(root).workload("profile").description
    plan = a_plan(rounds=3, workload=a_workload(description=description))
    path = store.create_run(root / "results" / "reference", plan=plan, environment=an_environment(**changes))
    for trial in (*trials(GTHREAD, 400.0, 401.0, 399.0), *trials(RUNSERVER, *rates)):
        store.append_trial(path, trial)


def page(root):
    return root / "docs" / "claims.md"


def test_the_page_says_what_the_results_say(root):
    assert render_docs([page(root)], root) == [page(root)]
    assert page(root).read_text(encoding="utf-8") == f"# Claims\n\n{OVERVIEW}\n{RENDERED}"
    assert stale([page(root)], root) == []


@pytest.mark.parametrize(
    ("without", "said"),
    [
        ("missing", "\nTo make the evidence anew, all at once or step by step:\n"),
        (
            "ratio",
            "\nNo command can make this evidence yet; the nearest that there is, all at once or step by step:\n",
        ),
    ],
)
def test_commands_are_offered_for_what_they_can_make(root, without, said):
    before, _, rest = CLAIM.partition(f"[{without}.")
    name, after = ("leaks", "[[outcomes]]") if without == "missing" else ("slower", "[missing")
    kept = before + after + rest.partition(after)[2]
    outcomes = [each for each in kept.split("[[outcomes]]") if f"{name} =" not in each]
    outcome = '\nwhen = { leaks = "yes" }\nverdict = "holds"\nbecause = "It did."\n'
    outcomes += [outcome] if without == "ratio" else []
    (root / "claims" / "it.toml").write_text("[[outcomes]]".join(outcomes), encoding="utf-8")
    render_docs([page(root)], root)
    assert said in page(root).read_text(encoding="utf-8")


def test_a_run_that_is_published_later_leaves_no_claim_stale_in_silence(root):
    render_docs([page(root)], root)
    publish(root, (800.0, 801.0, 802.0), run="20261122-111500", started_at="2026-11-22T11:15:00+00:00")
    assert stale([page(root)], root) == [page(root)]
    render_docs([page(root)], root)
    assert "**Does not hold.** It was not." in page(root).read_text(encoding="utf-8")


def test_a_terminal_gets_the_verdict_with_its_conditions(root):
    publish(root, (800.0, 801.0, 802.0), run="20261122-111500", started_at="2026-11-22T11:15:00+00:00")
    (judged,) = judged_claims(load_catalog(root), root / "results" / "reference")
    assert "\n".join(claim_lines(judged)) == TERMINAL


def test_a_marker_of_a_claim_that_there_is_not_is_told(root):
    page(root).write_text("<!-- claim: that -->\n<!-- /claim -->\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"docs/claims.md, line 1: no claim 'that'. Known: it"):
        render_docs([page(root)], root)
    page(root).write_text("<!-- claims: sentences -->\n<!-- /claims -->\n", encoding="utf-8")
    with pytest.raises(UsageError, match="claims marker: the folder is claims, not sentences"):
        render_docs([page(root)], root)
    with pytest.raises(UsageError, match="no claim 'that'"):
        named([], "that")


def test_a_run_that_cannot_be_read_is_told_and_decides_nothing(root):
    published = root / "results" / "reference"
    (published / "quick" / "20261122-101500" / "environment.json").write_text("{", encoding="utf-8")
    holdings = read_holdings(published, ["quick"])
    assert holdings.runs == ()
    (problem,) = holdings.problems
    assert problem.file == "quick/20261122-101500"
