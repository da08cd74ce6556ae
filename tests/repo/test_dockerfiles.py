"""What holds for every image of the lab."""

import json
import re

import pytest

from serverlab.images import find_sources

INSTRUCTION = re.compile(r"^(?P<name>[A-Z]+)[ \t]+(?P<rest>.*)$", re.MULTILINE)
CONTINUATION = re.compile(r"\\\n(?:[ \t]*#[^\n]*\n)*")


@pytest.fixture
def text(root, dockerfile):
    return (root / dockerfile).read_text(encoding="utf-8")


@pytest.fixture
def stage(text):
    """Name and rest of every instruction of the last stage."""
    lines = [line for line in CONTINUATION.sub(" ", text).splitlines() if not line.startswith("#")]
    found = [(match["name"], match["rest"]) for match in INSTRUCTION.finditer("\n".join(lines))]
    begin = max(index for index, (name, _) in enumerate(found) if name == "FROM")
    return found[begin:]


def last(stage, name):
    return next((rest for each, rest in reversed(stage) if each == name), None)


def test_no_front_end_is_fetched(text):
    assert not re.search(r"^#\s*syntax\s*=", text, re.MULTILINE | re.IGNORECASE)


def test_it_is_built_from_an_image_of_ours(stage):
    assert re.fullmatch(r"\$\{(BASE|APP)_IMAGE\}", stage[0][1])


def test_it_runs_as_a_numeric_user_who_is_not_root(stage):
    user = last(stage, "USER")
    assert user
    assert re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", user)


def test_it_carries_our_label_and_a_title(stage):
    labels = " ".join(rest for name, rest in stage if name == "LABEL")
    assert re.search(r'org\.serverlab="?image"?(\s|$)', labels)
    assert "org.opencontainers.image.title=" in labels
    assert "org.opencontainers.image.licenses=" in labels


def test_entry_points_and_commands_are_lists(stage):
    for name, rest in stage:
        if name in ("ENTRYPOINT", "CMD"):
            assert isinstance(json.loads(rest), list)


def test_whatever_is_installed_by_pip_has_its_hash_checked(text):
    code = CONTINUATION.sub(" ", re.sub(r"^#.*$", "", text, flags=re.MULTILINE))
    for call in re.findall(r"pip (?:install|wheel)[^&;]*", code):
        assert "--require-hashes" in call or "--no-index" in call, call


def test_the_lab_knows_how_to_build_it(root, dockerfile):
    assert dockerfile in {source.dockerfile for source in find_sources(root).values()}


def test_the_images_stop_signal_is_the_one_that_the_definition_names(root, catalog, deployed):
    definition = catalog.servers.get(deployed) or catalog.edges[deployed]
    text = (root / "deploy" / deployed / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^STOPSIGNAL (\S+)$", text, re.MULTILINE) == [definition.signals.stop]
