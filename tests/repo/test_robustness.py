"""The table of what the lab survives: every row is there, and every test that it names exists."""

import re

ROW = re.compile(
    r"^\| (?P<id>R-\d\d) \| (?P<event>[^|]+) \| (?P<does>[^|]+) \| (?P<tests>[^|]+) \|$", re.MULTILINE
)
TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<name>test_\w+)`")


def rows(documents):
    return list(ROW.finditer(documents["docs/robustness.md"]))


def test_every_row_is_there_once_and_in_order(documents):
    assert [row["id"] for row in rows(documents)] == [f"R-{number:02}" for number in range(1, 26)]


def test_every_row_names_tests_that_exist(root, documents):
    wrong = []
    for row in rows(documents):
        named = list(TEST.finditer(row["tests"]))
        wrong += (
            [] if named and TEST.sub("", row["tests"]).split() == [] else [f"{row['id']}: {row['tests']}"]
        )
        for test in named:
            file = root / test["file"]
            defined = file.is_file() and f"def {test['name']}(" in file.read_text(encoding="utf-8")
            wrong += [] if defined else [f"{row['id']}: {test[0]}"]
    assert wrong == []
