"""What is installed is pinned, and its hashes are checked."""

import re
import tomllib

import pytest


@pytest.fixture
def pins(root, requirements):
    """Every pin with its hashes, one text each."""
    text = (root / "requirements" / f"{requirements}.txt").read_text(encoding="utf-8")
    lines = [
        line
        for line in text.replace("\\\n", " ").splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]
    assert lines
    return lines


def test_every_pin_names_one_version_and_has_a_hash(pins):
    for pin in pins:
        assert re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,-]+\])?==[\w.!+]+ ", pin), pin
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", pin), pin


def test_nothing_says_where_packages_come_from(pins):
    assert [
        pin for pin in pins if "://" in pin or " @ " in pin or "index" in pin or "find-links" in pin
    ] == []


def test_everything_that_was_asked_for_is_pinned(root, requirements, pins):
    pinned = {re.split(r"[\[=]", pin)[0] for pin in pins}
    asked = (root / "requirements" / f"{requirements}.in").read_text(encoding="utf-8")
    names = re.findall(r"^([A-Za-z0-9][\w.-]*)", asked, re.MULTILINE)
    normal = {re.sub(r"[-_.]+", "-", name).lower() for name in names}
    assert normal <= pinned


def test_every_list_of_wishes_has_its_pins(root):
    folder = root / "requirements"
    assert {path.stem for path in folder.glob("*.in")} == {path.stem for path in folder.glob("*.txt")}


def test_the_makefile_pins_every_list(root):
    (sets,) = re.findall(r"^SETS := (.*)$", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(sets.split()) == {path.stem for path in (root / "requirements").glob("*.in")}


def test_the_package_names_what_it_imports_and_its_pins_have_all_of_it(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = (root / "requirements/lab.txt").read_text(encoding="utf-8").lower()
    assert [name for name in project["dependencies"] if f"\n{name.lower()}==" not in f"\n{pinned}"] == []
