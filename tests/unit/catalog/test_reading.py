"""TOML files become records, or a list of everything that is wrong with them."""

import enum
import textwrap

import msgspec
import pytest

from serverlab.catalog.reading import read_toml
from serverlab.model.base import Record


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Leaf(Record, frozen=True):
    name: str
    size: int = 1


class Tree(Record, frozen=True):
    title: str
    height: float
    colour: Colour = Colour.RED
    tags: tuple[str, ...] = ()
    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    named: dict[str, Leaf] = msgspec.field(default_factory=dict)


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "tree.toml"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        record, mistakes = read_toml(path, Tree)
        assert (record is None) == bool(mistakes)
        return record or [mistake.removeprefix(f"{path}: ") for mistake in mistakes]

    return read


def test_a_right_file_becomes_a_record_with_all_its_parts(read):
    tree = read("""
        title = "Oak"
        height = 12
        colour = "blue"
        tags = ["old", "green"]
        leaf = { name = "first" }
        leaves = [{ name = "a", size = 2 }, { name = "b" }]
        [named.big]
        name = "c"
        size = 9
        """)
    assert tree == Tree(
        title="Oak",
        height=12.0,
        colour=Colour.BLUE,
        tags=("old", "green"),
        leaf=Leaf(name="first"),
        leaves=(Leaf(name="a", size=2), Leaf(name="b")),
        named={"big": Leaf(name="c", size=9)},
    )


def test_an_unknown_key_is_told_with_the_nearest_one_and_all_that_are_known(read):
    assert read('title = "Oak"\nheight = 1.5\nhieght = 2') == [
        "hieght: unknown key, did you mean 'height'? (known: title, height, colour, tags, leaf, leaves, named)"
    ]


def test_an_unknown_key_that_is_like_no_other_gets_no_guess(read):
    assert read('title = "Oak"\nheight = 1.5\nxyzzy = 2') == [
        "xyzzy: unknown key (known: title, height, colour, tags, leaf, leaves, named)"
    ]


def test_every_missing_key_is_named(read):
    assert read("") == ["title: missing", "height: missing"]


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("title = 3", "title: Expected `str`, got `int` (found 3)"),
        ('height = "tall"', "height: Expected `float`, got `str` (found 'tall')"),
        ("height = true", "height: Expected `float`, got `bool` (found True)"),
        ('colour = "green"', "colour: Invalid enum value 'green' (found 'green')"),
        ('tags = "old"', "tags: Expected `array`, got `str` (found 'old')"),
        ('tags = ["old", 3]', "tags[1]: Expected `str`, got `int` (found 3)"),
        ("leaf = 3", "leaf: Expected `object`, got `int` (found 3)"),
        ("leaf = { size = 2 }", "leaf.name: missing"),
        (
            'leaves = [{ name = "a" }, { name = "b", size = 1.5 }]',
            "leaves[1].size: Expected `int`, got `float` (found 1.5)",
        ),
        (
            'named = { big = { nmae = "a", name = "b" } }',
            "named.big.nmae: unknown key, did you mean 'name'? (known: name, size)",
        ),
    ],
)
def test_a_wrong_value_is_told_with_the_path_of_its_key(read, line, mistake):
    key = line.split(" ")[0]
    given = {"title": 'title = "Oak"', "height": "height = 1"} | {key: line}
    assert read("\n".join(given.values())) == [mistake]


def test_all_mistakes_of_a_file_are_reported_at_once(read):
    assert read("""
        title = 3
        colour = "green"
        leafs = []
        leaves = [{ size = "big" }]
        """) == [
        "leafs: unknown key, did you mean 'leaf'? (known: title, height, colour, tags, leaf, leaves, named)",
        "title: Expected `str`, got `int` (found 3)",
        "height: missing",
        "colour: Invalid enum value 'green' (found 'green')",
        "leaves[0].name: missing",
        "leaves[0].size: Expected `int`, got `str` (found 'big')",
    ]


def test_broken_syntax_is_told_with_its_line(read):
    assert read('title = "Oak\n') == ["not valid TOML: Illegal character '\\n' (at line 1, column 13)"]


def test_bytes_that_are_no_text_are_no_toml(tmp_path):
    path = tmp_path / "tree.toml"
    path.write_bytes(b'title = "\xff"')
    record, mistakes = read_toml(path, Tree)
    assert record is None
    assert mistakes[0].startswith(f"{path}: not valid TOML: ")


def test_a_file_that_is_not_there_is_a_mistake_too(tmp_path):
    assert read_toml(tmp_path / "no.toml", Tree) == (
        None,
        [f"{tmp_path}/no.toml: cannot be read: No such file or directory"],
    )
