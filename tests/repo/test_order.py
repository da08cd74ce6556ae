"""In which order the tests are run that start containers."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import (
    FORGIVING,
    NOT_ABOUT_TIME,
    STARTING_CONTAINERS,
    pytest_collection_modifyitems,
    pytest_sessionfinish,
)


def an_item(name, *, file="tests/contract/test_judge.py", stack=None, marked=()):
    """A test as pytest collects it; of one stack if that is named."""
    params = {} if stack is None else {"callspec": SimpleNamespace(params={"stack": stack})}
    return SimpleNamespace(
        nodeid=f"{file}::{name}",
        path=Path("/") / file,
        get_closest_marker=lambda marker: marker if marker in marked else None,
        **params,
    )


def named(items):
    return [item.nodeid.rpartition("::")[2] for item in items]


def test_what_time_does_not_change_comes_first_and_the_order_is_kept_otherwise():
    items = [
        an_item("b"),
        an_item("a"),
        an_item("e", file="tests/unit/test_edge.py"),
        an_item("f", file="tests/browser/test_page.py"),
        an_item("d", file="tests/contract/test_edge.py"),
        an_item("c", file="tests/contract/test_edge.py"),
    ]
    pytest_collection_modifyitems(items)
    assert named(items) == ["d", "c", "f", "b", "a", "e"]


def test_what_comes_first_is_there_and_starts_containers(root):
    first = NOT_ABOUT_TIME + FORGIVING
    assert [each for each in first if not (root / each).is_file()] == []
    assert [each for each in first if not each.startswith(STARTING_CONTAINERS)] == []


def test_what_leaves_the_rows_of_a_stack_changed_is_the_last_to_ask_it_but_for_what_ends_it():
    items = [
        an_item("ends[two]", stack="two", marked=["ends_stack"]),
        an_item("changes[two]", stack="two", marked=["leaves_rows"]),
        an_item("asks[two]", stack="two"),
        an_item("asks[one]", stack="one"),
        an_item("changes[one]", stack="one", marked=["leaves_rows"]),
        an_item("proves[two]", stack="two"),
    ]
    pytest_collection_modifyitems(items)
    assert named(items) == [
        "asks[two]",
        "proves[two]",
        "changes[two]",
        "ends[two]",
        "asks[one]",
        "changes[one]",
    ]


@pytest.mark.parametrize(("exitstatus", "looks"), [(0, True), (1, True), (2, False)])
def test_unused_snapshots_are_looked_for_unless_the_tests_were_broken_off(exitstatus, looks):
    option = SimpleNamespace(disable_unused_snapshots=False)
    pytest_sessionfinish(SimpleNamespace(config=SimpleNamespace(option=option)), exitstatus)
    assert option.disable_unused_snapshots is not looks
