"""A disk that is really full: a file system of one mebibyte."""

from __future__ import annotations

import os

import pytest

from serverlab import store
from serverlab.errors import EnvironmentLacks
from serverlab.shell import HostShell
from tests.unit.builders import a_plan, a_trial, an_environment

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")


@pytest.fixture
def small(tmp_path):
    """A folder on a file system of 1 MiB."""
    shell, place = HostShell(), tmp_path / "small"
    place.mkdir()
    mounted = shell.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)])
    assert mounted.ok, mounted.stderr
    yield place
    assert shell.run(["umount", str(place)]).ok


def test_what_was_saved_stays_whole_and_what_does_not_fit_is_not_there_at_all(small):
    path = store.create_run(small, plan=a_plan(), environment=an_environment())
    (small / "ballast").write_bytes(b"x" * 900_000)
    saved: list[bytes] = []

    def save_until_it_is_full():
        for number in range(1, 1000):
            store.append_trial(path, a_trial(round=number))
            saved.append((path / "trials.jsonl").read_bytes())

    with pytest.raises(EnvironmentLacks) as full:
        save_until_it_is_full()
    assert full.value.what == f"{path}/trials.jsonl: cannot be written: No space left on device"
    assert full.value.hint == "What was saved before is kept; make room or mend the permissions, then resume."
    assert (path / "trials.jsonl").read_bytes() == saved[-1]
    assert len(saved[-1].splitlines()) == len(saved) > 10


def test_a_file_that_is_replaced_stays_as_it_was_and_no_part_of_the_new_one_is_left(small):
    path = store.create_run(small, plan=a_plan(), environment=an_environment())
    before = store.read_run(path)
    free = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
    (small / "ballast").write_bytes(b"x" * free)
    with pytest.raises(EnvironmentLacks, match=r"plan\.json: cannot be written: No space left on device"):
        store.replace_plan(path, a_plan(question="x" * 100_000))
    with pytest.raises(EnvironmentLacks, match="cannot be written"):
        store.write_raw(path, trial_id="r01", kind="hlog", text="x" * 100_000)
    assert store.read_run(path) == before
    assert [each.name for each in path.rglob(".*")] == []
    assert [each.name for each in (path / "raw").iterdir()] == []
