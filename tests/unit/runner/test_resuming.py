"""What is in one run was made alike, whatever kind of run it is."""

import pytest

from serverlab.errors import UsageError
from serverlab.runner.resuming import refuse_changed, refuse_unlike
from tests.unit.builders import an_environment

HASHES = {"server/gunicorn": "a", "workload/profile": "b", "experiment": "c"}


def test_files_that_are_as_they_were_are_not_refused_nor_those_that_nobody_asks_for():
    refuse_changed("quick", HASHES, now={"server/gunicorn": "a", "workload/profile": "b"})


def test_files_that_changed_or_came_are_named():
    now = {"server/gunicorn": "z", "workload/profile": "b", "edge/nginx": "n"}
    with pytest.raises(UsageError) as refused:
        refuse_changed("quick", HASHES, now=now)
    assert (refused.value.what, refused.value.hint) == (
        "run of quick cannot be resumed: the files of server/gunicorn, edge/nginx changed since it began",
        "What is in one run has to be made alike; put the files back, or start a new run.",
    )


def test_a_commit_may_be_another_one_and_a_kernel_may_not():
    before = an_environment(run="20261122-101500")
    refuse_unlike(before, an_environment(commit="f" * 40))
    with pytest.raises(
        UsageError, match="run 20261122-101500 cannot be resumed: kernel changed since it began"
    ):
        refuse_unlike(before, an_environment(kernel="6.2.0"))
