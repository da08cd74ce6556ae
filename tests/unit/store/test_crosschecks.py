"""Cross-checks written and read back."""

import pytest

from serverlab import store
from serverlab.errors import UsageError
from serverlab.model.crosscheck import Pace, Tool
from serverlab.model.runs import Problem
from serverlab.store.crosschecks import append_measurement, create_crosscheck, read_crosscheck
from tests.unit.builders import an_environment
from tests.unit.crosschecks import a_check, a_cross_plan, a_reading, measured

RUN = an_environment().run
PLACE = f"crosscheck/{RUN}/measurements.jsonl"


@pytest.fixture
def path(tmp_path):
    return create_crosscheck(tmp_path, plan=a_cross_plan(), environment=an_environment())


def test_what_is_written_is_read_back_alike(path, tmp_path):
    made = [measured(Tool.OURS, reading=a_reading()), measured(Tool.WRK, void=("wrk ended with 1",))]
    for each in made:
        append_measurement(path, each)
    assert path == tmp_path / "crosscheck" / RUN
    assert read_crosscheck(path) == a_check(made)


def test_what_was_measured_anew_takes_the_place_of_what_was_cut_short(path):
    for rps in (400.0, 500.0):
        append_measurement(path, measured(Tool.OURS, Pace.HALF, reading=a_reading(rps)))
    assert read_crosscheck(path).measurements == (measured(Tool.OURS, Pace.HALF, reading=a_reading(500.0)),)


def test_a_line_that_was_cut_short_is_told_and_the_others_are_kept(path):
    with (path / "measurements.jsonl").open("ab") as file:
        file.write(b'{"round": 1, "tar')
    append_measurement(path, measured(Tool.WRK, reading=a_reading()))
    check = read_crosscheck(path)
    assert [each.tool for each in check.measurements] == [Tool.WRK]
    assert check.problems == (
        Problem(
            file=PLACE,
            line=1,
            message="cut short or damaged (Input data was truncated); its measurement is missing",
        ),
    )


def test_another_format_is_refused(path):
    (path / "measurements.jsonl").write_bytes(b'{"format": 99}\n')
    with pytest.raises(UsageError, match="has format 99, this lab reads 1"):
        read_crosscheck(path)


def test_a_cross_check_is_no_run_of_an_experiment(path, tmp_path):
    with pytest.raises(UsageError):
        store.find_run(tmp_path)


def test_a_folder_without_a_cross_check_is_a_mistake(tmp_path):
    with pytest.raises(UsageError, match="no cross-check"):
        read_crosscheck(tmp_path)
