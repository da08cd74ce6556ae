"""The generator's ceilings of a run: one for each set-up, the first that was measured."""

from __future__ import annotations

import msgspec
import pytest

from serverlab import store
from serverlab.errors import UsageError
from serverlab.model.ceilings import Ceiling, Ceilings, Connections, LoadSetup
from serverlab.model.definitions import Arrival
from tests.unit.builders import a_plan, an_environment


@pytest.fixture
def path(tmp_path):
    return store.create_run(tmp_path, plan=a_plan(rounds=2), environment=an_environment())


def a_ceiling(rps=9000.0, *, users=32):
    setup = LoadSetup(users=users, connections=Connections.KEPT, arrival=Arrival.CLOSED, cpus=1)
    return Ceiling(setup=setup, measured_at="2026-11-22T10:17:00+00:00", rps=rps, generator_cores=0.9)


def test_a_run_without_ceilings_as_older_ones_are_is_read_as_such(path):
    assert not (path / "ceilings.json").exists()
    assert store.read_run(path).ceilings == Ceilings()


def test_each_set_up_has_a_ceiling_of_its_own(path):
    store.keep_ceiling(path, a_ceiling())
    store.keep_ceiling(path, a_ceiling(5000.0, users=1))
    kept = store.read_run(path).ceilings
    assert kept == Ceilings(ceilings=(a_ceiling(), a_ceiling(5000.0, users=1)))
    assert kept.of(a_ceiling(users=1).setup) == a_ceiling(5000.0, users=1)
    assert kept.of(a_ceiling(users=2).setup) is None
    assert kept.of(None) is None


def test_of_one_set_up_the_first_ceiling_stays(path):
    store.keep_ceiling(path, a_ceiling())
    before = (path / "ceilings.json").stat()
    store.keep_ceiling(path, a_ceiling(1.0))
    assert store.read_ceilings(path) == Ceilings(ceilings=(a_ceiling(),))
    assert (path / "ceilings.json").stat().st_ino == before.st_ino


def test_a_number_takes_the_place_of_what_could_not_be_measured_and_nothing_takes_that_of_a_number(path):
    in_vain = a_ceiling(None)
    for _ in range(2):
        store.keep_ceiling(path, in_vain)
    assert store.read_ceilings(path).of(in_vain.setup).tries == 2
    assert not store.read_ceilings(path).settled(in_vain.setup)
    store.keep_ceiling(path, a_ceiling())
    store.keep_ceiling(path, in_vain)
    kept = store.read_ceilings(path)
    assert kept == Ceilings(ceilings=(msgspec.structs.replace(a_ceiling(), tries=3),))
    assert kept.settled(in_vain.setup)


def test_what_all_tries_of_a_ceiling_took_is_counted(path):
    for rps, wall_s in ((None, 4.0), (None, None), (9000.0, 5.0)):
        store.keep_ceiling(path, msgspec.structs.replace(a_ceiling(rps), wall_s=wall_s))
    (kept,) = store.read_ceilings(path).ceilings
    assert (kept.tries, kept.wall_s) == (3, 9.0)


def test_three_tries_in_vain_are_enough(path):
    for _ in range(3):
        store.keep_ceiling(path, a_ceiling(None))
    assert store.read_ceilings(path).settled(a_ceiling().setup)
    assert not store.read_ceilings(path).settled(a_ceiling(users=1).setup)


def test_a_file_of_another_format_is_refused(path):
    (path / "ceilings.json").write_text('{"ceilings": [], "format": 2}')
    with pytest.raises(UsageError, match=r"ceilings\.json has format 2, this lab reads 1"):
        store.read_run(path)


def test_a_damaged_file_is_named_with_what_to_do(path):
    (path / "ceilings.json").write_text('{"ceilings": [')
    with pytest.raises(UsageError, match=r"ceilings\.json: cut short or damaged") as refused:
        store.read_run(path)
    assert refused.value.hint == "Restore the file, or measure again."
