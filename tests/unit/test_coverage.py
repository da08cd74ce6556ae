"""Intervals cover what they claim, and equals are rarely said to differ: by simulation with fixed seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from serverlab import stats
from serverlab.analysis.differences import compare_all
from serverlab.analysis.precision import SETTLED
from serverlab.model.tables import Shown
from tests import simulation
from tests.simulation import ALARM_COLUMNS, NOT_PROMISED, PROMISED, ROUNDS, Rule

PAGE = simulation.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("noise", PROMISED)
def test_an_interval_of_95_percent_covers_92_to_98(noise, rounds):
    assert rounds >= stats.FEWEST_ROUNDS
    assert 0.92 <= simulation.student_coverage(PROMISED[noise], rounds) <= 0.98


def test_what_is_simulated_is_what_the_tables_are_made_with():
    lines = simulation.spells(np.random.default_rng(1), (50, 6))
    for line, half in zip(lines, simulation.half_widths(lines), strict=True):
        found = stats.interval([math.exp(each) for each in line])
        assert (found.low, found.high) == pytest.approx(
            (math.exp(line.mean() - half), math.exp(line.mean() + half))
        )


@pytest.mark.parametrize("noise", PROMISED)
@pytest.mark.parametrize("scale", [0.05, 0.09, 0.15])
def test_adding_rounds_until_the_interval_is_narrow_leaves_92_percent(noise, scale):
    assert 0.92 <= simulation.stopped_coverage(PROMISED[noise], scale, first=SETTLED) <= 0.98


@pytest.mark.parametrize("noise", PROMISED)
@pytest.mark.parametrize(
    ("rule", "rows", "rounds"),
    [(Rule.HOLM, 4, 3), (Rule.HOLM, 4, 5), (Rule.HOLM, 11, 5), (Rule.OWN, 4, 3), (Rule.OWN, 4, 5)],
)
def test_fewer_than_5_percent_of_sections_of_equals_show_a_difference(rule, noise, rows, rounds):
    """Of 100000 sections, which tells 4.9 % from 5.1 %; the decision shows the same figures."""
    found = simulation.false_alarms(PROMISED[noise], rule, rows=rows, rounds=rounds)
    assert found < 0.05
    assert told(noise, rule, rows, rounds) == f"{found * 100:.1f} %"


@pytest.mark.parametrize("noise", PROMISED)
@pytest.mark.parametrize("rounds", [3, 5])
def test_a_single_row_shows_one_in_5_percent_at_most(noise, rounds):
    """Where noise is even it is 5 %, and the share of 100000 is within three standard deviations of it."""
    found = simulation.false_alarms(PROMISED[noise], Rule.HOLM, rows=1, rounds=rounds)
    assert found < 0.05 + 3 * math.sqrt(0.05 * 0.95 / simulation.SECTIONS)
    assert told(noise, Rule.HOLM, 1, rounds) == f"{found * 100:.1f} %"


@pytest.mark.parametrize(("rows", "rounds"), [(1, 3), (4, 3), (4, 5), (11, 5)])
@pytest.mark.parametrize("noise", PROMISED)
def test_with_a_noise_floor_fewer_than_2_percent_do(monkeypatch, noise, rows, rounds):
    monkeypatch.setattr(simulation, "SECTIONS", simulation.AT_ONCE)
    assert simulation.false_alarms(PROMISED[noise], Rule.FLOOR, rows=rows, rounds=rounds) < 0.02


def told(noise, rule, rows, rounds):
    """What the decision says of false alarms."""
    table = PAGE.partition("How many of")[2].partition("How many of")[0]
    (line,) = (line for line in table.splitlines() if line.startswith(f"| {noise}: {rule} |"))
    return line.split("|")[ALARM_COLUMNS.index((rows, rounds)) + 2].strip()


def test_without_the_correction_a_section_of_many_rows_would_often_be_wrong(monkeypatch):
    monkeypatch.setattr(simulation, "SECTIONS", simulation.AT_ONCE)
    assert simulation.false_alarms(simulation.even, Rule.ALONE, rows=11, rounds=5) > 0.2


@pytest.mark.parametrize("floor", [True, False])
def test_what_is_simulated_of_a_section_is_what_the_tables_are_made_with(floor):
    """Of 200 sections two rows of five are equal to the reference, and the others up to three deviations off."""
    logs, control = simulation.equals(simulation.even, np.random.default_rng(1), (200, 5, 4))
    logs = logs + np.array([0, 0, 1, 2, 3])[:, None]
    simulated = simulation.shown(logs, simulation.reach(control) if floor else 0.0)
    for section, again, rows in zip(logs, control, simulated, strict=True):
        ratios = {row: tuple(np.exp(each).tolist()) for row, each in enumerate(section)}
        found = compare_all(
            ratios, dict.fromkeys(ratios, stats.interval(np.exp(again[0]).tolist())) if floor else {}
        )
        assert [found[row].shown in (Shown.FASTER, Shown.SLOWER) for row in ratios] == rows.tolist()
    assert 0 < simulated.mean() < 1


def test_what_bca_is_simulated_as_is_what_the_statistics_say():
    lines = simulation.lopsided(np.random.default_rng(1), (3, stats.BCA_FROM))
    for line, *ends in zip(lines, *simulation.bca_ends(lines), strict=True):
        assert stats.bca(line.tolist()) == pytest.approx(ends, rel=1e-9)


@pytest.mark.parametrize("noise", PROMISED)
def test_bca_covers_92_to_98_percent_where_it_is_used_and_the_decision_says_so(noise):
    found = simulation.bca_coverage(PROMISED[noise], stats.BCA_FROM)
    assert 0.92 <= found <= 0.98
    table = (
        simulation.PAGE.read_text(encoding="utf-8").partition("The same of BCa")[2].partition("How often")[0]
    )
    (row,) = (line for line in table.splitlines() if line.startswith(f"| {noise} |"))
    assert row.endswith(f"| {found * 100:.1f} % |")


def test_bca_covers_too_little_where_it_is_not_used(monkeypatch):
    monkeypatch.setattr(simulation, "BCA_RUNS", 300)
    assert simulation.bca_coverage(simulation.spells, 10) < 0.9


def test_the_decision_shows_what_is_simulated_here():
    page = simulation.PAGE.read_text(encoding="utf-8")
    assert "\n".join(simulation.student_table()) in page
    assert "\n".join(simulation.stopped_table()) in page


def test_the_limits_that_the_decision_names_are_there():
    assert simulation.student_coverage(NOT_PROMISED["two values"], 3) < 0.85
    assert simulation.student_coverage(NOT_PROMISED["very lopsided"], 15) < 0.92
