"""What others than the containers of a cell did on the machine, from readings before and after."""

import pytest

from serverlab.runner.noise import Work, others, too_loud

BEFORE = Work(at_s=10.0, busy_s=100.0, ours_s={"app": 5.0})


def after(busy_s, **ours_s):
    return Work(at_s=20.0, busy_s=busy_s, ours_s=ours_s)


def test_what_is_busy_and_not_ours_is_other_work():
    """Of 12 s in 10 s, 4 s are the app's and 1 s is that of a container that has come."""
    assert others(BEFORE, after(112.0, app=9.0, prober=1.0)) == pytest.approx(0.7)


@pytest.mark.parametrize("later", [after(None, app=9.0), after(112.0), after(112.0, app=1.0)])
def test_it_is_not_known_where_the_machine_does_not_tell_or_a_container_ended_or_began_anew(later):
    assert others(BEFORE, later) is None
    assert too_loud("after", BEFORE, later, cores=2) is None


def test_more_than_a_quarter_of_the_cores_is_too_much():
    assert too_loud("after", BEFORE, after(109.0, app=5.0), cores=4) is None
    assert too_loud("after", BEFORE, after(111.0, app=5.0), cores=4) == (
        "host load: other work took 1.1 of the machine's 4 cores after the fault"
    )
