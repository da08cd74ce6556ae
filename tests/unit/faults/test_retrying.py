"""How often an edge has repeated requests: counted by keys, so that what is missing hides nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from serverlab.faults.fault import NotEffective
from serverlab.faults.retrying import told_of


@pytest.fixture
def measured():
    return {}


@pytest.fixture
def scene(measured):
    return SimpleNamespace(measure=measured.update)


def test_entries_that_are_missing_do_not_hide_those_that_are_there_twice(scene, measured):
    said = told_of(scene, {"on": [1, 2, 0], "off": [3, 1, 0]})
    assert said == "1 are there more than once with a key, 1 without; 2 are missing"
    assert measured == {"duplicates_with_key": 1, "duplicates_without_key": 1, "entries_missing": 2}


@pytest.mark.parametrize("without_key", [[1, 1, 1], [0, 0, 1]])
def test_an_edge_that_repeats_nothing_makes_it_void(scene, without_key):
    with pytest.raises(NotEffective, match="the edge repeated nothing: no entry is there twice"):
        told_of(scene, {"on": [1, 1, 1], "off": without_key})
