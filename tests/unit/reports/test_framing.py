"""Odd requests against targets as Markdown."""

from __future__ import annotations

import pytest

from serverlab.analysis.framing import framing_table, of_server
from serverlab.errors import UsageError
from serverlab.model.runs import Problem
from serverlab.model.security import Verdict
from serverlab.reports.framing import render_again, render_framing, render_server
from tests.unit.framing.records import EDGED, a_differential, a_framed, an_answer

LEGEND = (
    "✓ every form as it should be; ≠ 2/3: two of three forms otherwise; ✗ 1/3: requests were not kept apart in "
    "one of three forms, whatever else; ? not shown.\n"
)

FACTS = """\
Run `http/20261122-101500`:

- Tried: 2026-11-22T10:15:00+00:00
- Machine: Example CPU, 2 cores, 8.0 GiB, Debian GNU/Linux 12, kernel 6.1.0
- Engine: 26.1.5, Compose 2.26.1, cgroup v2
- Lab: serverlab 0.1.0, commit 0123456789ab, Python 3.11.7
- Database: sqlite"""

OTHERWISE = {"verdict": Verdict.FAIL, "said": "200 | <b>"}


def table_of(*found, **changes):
    return framing_table(a_differential(*found, **changes))


def test_a_table_shows_both_sides_of_the_edge_and_what_was_otherwise():
    table = table_of(
        a_framed(an_answer("a", **OTHERWISE), an_answer("b", **OTHERWISE)),
        a_framed(an_answer("a"), an_answer("b", **OTHERWISE), target="gunicorn:sync"),
        a_framed(an_answer("a", **OTHERWISE, smuggled="it was"), an_answer("b"), target=EDGED),
        a_framed(an_answer("a"), case="H-02", title="a | b"),
        a_framed(case="H-02", title="a | b", problem="no stack", target=EDGED),
        problems=(Problem(file="answers.jsonl", line=3, message="cut short"),),
    )
    assert render_framing(table) == (
        LEGEND + "\n"
        "**Direct**\n"
        "\n"
        "| id | case | right | gunicorn: gthread | gunicorn: sync |\n"
        "| :-- | :-- | :-- | :-- | :-- |\n"
        "| H-01 | two lengths | 400 | ≠ 2/2 | ≠ 1/2 |\n"
        "| H-02 | a \\| b | 400 | ✓ | – |\n"
        "\n"
        "**Behind the edge**\n"
        "\n"
        "| id | case | right | gunicorn: gthread +nginx |\n"
        "| :-- | :-- | :-- | :-- |\n"
        "| H-01 | two lengths | 400 | ✗ 1/2 |\n"
        "| H-02 | a \\| b | 400 | ? |\n"
        "\n"
        "**Requests that were not kept apart**\n"
        "\n"
        "- H-01 a: it was (all behind the edge)\n"
        "\n"
        "**Otherwise than right**\n"
        "\n"
        "H-01, two lengths (right: 400):\n"
        "\n"
        "- a: 200 \\| &lt;b&gt; (gunicorn:gthread, all behind the edge)\n"
        "- b: 200 \\| &lt;b&gt; (all direct)\n"
        "\n"
        "H-02, a \\| b (right: 400):\n"
        "\n"
        "- no stack (all behind the edge)\n"
        "\n" + FACTS + "\n- Problem: answers.jsonl, line 3: cut short"
    )


def test_where_nothing_was_smuggled_the_table_says_so():
    assert render_framing(table_of(a_framed(an_answer("a", **OTHERWISE)))).endswith(
        "**Requests that were not kept apart**\n\nNone.\n\n**Otherwise than right**\n\n"
        "H-01, two lengths (right: 400):\n\n- a: 200 \\| &lt;b&gt; (everywhere)\n\n" + FACTS
    )


def test_cases_are_chosen_by_how_their_ids_begin():
    table = table_of(a_framed(an_answer()), a_framed(an_answer(), case="H-60"))
    assert "H-01" not in render_framing(table, "H-6")
    with pytest.raises(UsageError, match="no case 'H-9'"):
        render_framing(table, "H-9")


def test_a_second_run_is_told_to_be_alike_or_where_it_was_not():
    assert (
        render_again("http/2", [])
        == "Run `http/2`, made again: every form on every target was answered alike."
    )
    assert render_again("http/2", ["a|b: x; y", "c"]) == (
        "Run `http/2`, made again, saw otherwise:\n\n- a\\|b: x; y\n- c"
    )


def test_one_server_is_shown_by_the_cases_that_are_not_right_everywhere():
    run = a_differential(
        a_framed(an_answer("a", **OTHERWISE, smuggled="it was")),
        a_framed(an_answer("a"), target="gunicorn:sync"),
        a_framed(an_answer("a"), target=EDGED),
        a_framed(an_answer("a"), case="H-02"),
        a_framed(an_answer("a"), case="H-02", target="gunicorn:sync"),
        a_framed(an_answer("a", **OTHERWISE), case="H-02", target="daphne:default"),
    )
    assert render_server(framing_table(of_server(run, "gunicorn"))) == (
        LEGEND + "\n"
        "**Direct**\n"
        "\n"
        "| id | case | right | gunicorn: gthread | gunicorn: sync |\n"
        "| :-- | :-- | :-- | :-- | :-- |\n"
        "| H-01 | two lengths | 400 | ✗ 1/1 | ✓ |\n"
        "\n"
        "Every form as it should be: H-02.\n"
        "\n"
        "**Behind the edge**\n"
        "\n"
        "| id | case | right | gunicorn: gthread +nginx |\n"
        "| :-- | :-- | :-- | :-- |\n"
        "| H-02 | two lengths | 400 | – |\n"
        "\n"
        "Every form as it should be: H-01.\n"
        "\n"
        "**Requests that were not kept apart**\n"
        "\n"
        "- H-01 a: it was (gunicorn:gthread)\n"
        "\n" + FACTS
    )


def test_of_one_server_cases_are_chosen_as_well():
    table = table_of(a_framed(an_answer()), a_framed(an_answer(), case="H-60"))
    assert "H-01" not in render_server(table, "H-6")
    with pytest.raises(UsageError, match="no case 'H-9'"):
        render_server(table, "H-9")
