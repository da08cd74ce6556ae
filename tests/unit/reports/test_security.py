"""Attacks as Markdown."""

from __future__ import annotations

import pytest

from serverlab.analysis.security import security_table
from serverlab.errors import UsageError
from serverlab.model.definitions import Difference
from serverlab.model.runs import Problem
from serverlab.model.security import Verdict
from serverlab.reports.security import render_attacks, render_measured, render_server
from tests.unit.attacks.records import a_finding, a_server, an_assault

SERVERS = {
    "gunicorn": a_server(Difference(attack="A1-24", seen="502", why="short lines", direct=False)),
    "runserver": a_server(),
}
EDGED = "gunicorn:gthread+nginx"
FACTS = """\
Run `attacks/20261122-101500`:

- Tried: 2026-11-22T10:15:00+00:00
- Machine: Example CPU, 2 cores, 8.0 GiB, Debian GNU/Linux 12, kernel 6.1.0
- Engine: 26.1.5, Compose 2.26.1, cgroup v2
- Lab: serverlab 0.1.0, commit 0123456789ab, Python 3.11.7
- Database: sqlite
- Note: each race is run 10 times"""


def table_of(*findings, **changes):
    return security_table(an_assault(*findings, **changes), SERVERS)


def test_a_table_shows_each_server_with_what_is_to_say_of_it():
    table = table_of(
        a_finding("A1-24", target="gunicorn:sync"),
        a_finding("A1-24", target=EDGED, verdict=Verdict.FAIL, seen="502 at 8 KiB", reason="no 5xx"),
        a_finding("A1-01", target=EDGED),
        a_finding("A1-01", target="gunicorn:sync"),
        a_finding(
            "A1-01", target="gunicorn:gthread", verdict=Verdict.FAIL, seen="200", reason="expected 401"
        ),
        a_finding("A1-01", target="gunicorn:default", verdict=Verdict.FAIL, seen="not shown"),
        a_finding(
            "A1-01", target="runserver:sync", verdict=Verdict.UNKNOWN, seen="broke off", reason="OSError"
        ),
        a_finding("A2-01"),
        problems=(Problem(file="attacks.jsonl", line=3, message="cut short"),),
    )
    assert render_attacks(table, "A1") == (
        "**A1: signatures, headers and keys of tokens**\n"
        "\n"
        "| id | attack | expected | gunicorn | runserver |\n"
        "| :-- | :-- | :-- | :-- | :-- |\n"
        "| A1-01 | attack A1-01 | 401 | direct ✗ failed (1), ✓ held (1); edge ✓ held | ? unknown |\n"
        "| A1-24 | attack A1-24 | 401 | direct ✓ held, edge ≠ differs | – |\n"
        "\n"
        "- A1-01 ✗ failed, gunicorn:gthread: expected 401 (seen: 200)\n"
        "- A1-01 ? unknown, runserver:sync: OSError (seen: broke off)\n"
        "- A1-24 ≠ differs, gunicorn:gthread+nginx: short lines (seen: 502 at 8 KiB)\n"
        "\n"
        f"{FACTS}\n"
        "- Problem: attacks.jsonl, line 3: cut short"
    )


def test_what_holds_for_all_targets_is_said_once():
    reason = {"verdict": Verdict.NA, "seen": "not asked", "reason": "no clock"}
    table = table_of(*(a_finding("A3-16", target=name, **reason) for name in ("gunicorn:sync", EDGED)))
    assert "- A3-16 – n/a, everywhere: no clock\n" in render_attacks(table, "A3")


def test_variants_that_are_not_alike_are_counted_and_those_that_were_not_asked_do_not_count_as_held():
    reason = {"verdict": Verdict.NA, "seen": "not asked", "reason": "asked on gthread"}
    table = table_of(
        a_finding("T-01"),
        a_finding("T-01", target=EDGED),
        a_finding("T-01", target="gunicorn:sync", **reason),
        a_finding("T-02", target="gunicorn:sync+nginx", **reason),
        a_finding("T-02", target=EDGED),
    )
    text = render_attacks(table, "T")
    assert "| T-01 | attack T-01 | 401 | direct ✓ held (1), – n/a (1); edge ✓ held |\n" in text
    assert "| T-02 | attack T-02 | 401 | edge ✓ held (1), – n/a (1) |\n" in text
    assert "- T-01 – n/a, gunicorn:sync: asked on gthread\n" in text


def test_groups_stand_one_below_the_other_and_the_facts_once():
    text = render_attacks(table_of(a_finding("W-01"), a_finding("A2-01"), a_finding("A1-01")), "")
    headings = [line.strip("*") for line in text.splitlines() if line.startswith("**")]
    assert headings == [
        "A1: signatures, headers and keys of tokens",
        "A2: claims",
        "W: what is seen from outside",
    ]
    assert text.endswith(FACTS)
    assert text.count("- Machine: ") == 1


def test_what_was_measured_is_shown_by_target():
    table = table_of(
        a_finding("T-01", measured={"refused_after_s": 0.0123}),
        a_finding("T-02", target=EDGED, measured={"refused_after_s": 4.2, "asked": 12.0}),
    )
    assert render_measured(table, "T") == (
        "| target | id | refused after s | asked |\n"
        "| :-- | :-- | :-- | :-- |\n"
        "| gunicorn:gthread | T-01 | 0.0123 | – |\n"
        "| gunicorn:gthread+nginx | T-02 | 4.20 | 12.0 |\n"
        f"\n{FACTS}"
    )


def test_one_server_is_shown_by_how_many_attacks_each_of_its_variants_held_off():
    assault = an_assault(
        a_finding("A1-01", target=EDGED),
        a_finding(
            "A1-01", target="gunicorn:default", verdict=Verdict.FAIL, seen="200", reason="expected 401"
        ),
        a_finding("A1-24", target=EDGED, verdict=Verdict.FAIL, seen="502", reason="no 5xx"),
        a_finding("A1-24", target="gunicorn:default", verdict=Verdict.NA, seen="", reason="no clock"),
        a_finding("A1-24", target="runserver:default", verdict=Verdict.FAIL),
    )
    assert render_server(security_table(assault, SERVERS, "gunicorn")) == (
        "| target | ✓ held | ✗ failed | ≠ differs | ? unknown | – n/a |\n"
        "| :-- | :-- | :-- | :-- | :-- | :-- |\n"
        "| gunicorn:default | 0 | 1 | 0 | 0 | 1 |\n"
        "| gunicorn:gthread+nginx | 1 | 0 | 1 | 0 | 0 |\n"
        "\n"
        "- A1-01 ✗ failed, gunicorn:default: expected 401 (seen: 200)\n"
        "- A1-24 ≠ differs, gunicorn:gthread+nginx: short lines (seen: 502)\n"
        "\n"
        f"{FACTS}"
    )


@pytest.mark.parametrize("render", [render_attacks, render_measured, render_server])
def test_what_is_not_there_is_a_mistake(render):
    with pytest.raises(UsageError, match="A9"):
        render(table_of(a_finding()), "A9")
