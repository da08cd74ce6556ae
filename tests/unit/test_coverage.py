"""Intervals cover what they claim, and equals are rarely said to differ: by simulation with fixed seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from serverlab import stats
from serverlab.analysis.precision import SETTLED
from tests import simulation
from tests.simulation import NOT_PROMISED, PROMISED, ROUNDS


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


@pytest.mark.parametrize(("rows", "rounds"), [(4, 3), (4, 5), (11, 5)])
@pytest.mark.parametrize("noise", ["even", "spells", "lopsided"])
def test_fewer_than_5_percent_of_sections_of_equals_show_a_difference(monkeypatch, noise, rows, rounds):
    monkeypatch.setattr(simulation, "SECTIONS", 800)
    assert simulation.false_alarms(PROMISED[noise], rows=rows, rounds=rounds, floor=True) < 0.05


@pytest.mark.parametrize(("rows", "rounds"), [(4, 3), (4, 5), (11, 5)])
@pytest.mark.parametrize("noise", ["even", "spells", "lopsided"])
def test_holms_correction_alone_keeps_false_alarms_near_5_percent(monkeypatch, noise, rows, rounds):
    monkeypatch.setattr(simulation, "SECTIONS", 800)
    assert simulation.false_alarms(PROMISED[noise], rows=rows, rounds=rounds, floor=False) < 0.07


def test_without_the_correction_a_section_of_many_rows_would_often_be_wrong(monkeypatch):
    monkeypatch.setattr(simulation, "SECTIONS", 300)
    assert simulation.false_alarms(simulation.even, rows=11, rounds=5, floor=False, corrected=False) > 0.2


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
