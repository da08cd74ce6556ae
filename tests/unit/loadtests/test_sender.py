"""A sender sends to the very address that was found to be within bounds, and says why it ends."""

from __future__ import annotations

import pytest

from shared.bounds import OutOfBounds
from shared.sender import SettingsError, address_of, run
from tests.unit.loadtests.test_bounds import TABLE


@pytest.fixture
def found(tmp_path):
    """The address of a URL in a container that is on 172.18.0.0/16, where its host has these."""
    (tmp_path / "route").write_text(TABLE)

    def find(url, *addresses):
        left = [list(addresses)]
        return address_of(url, lookup=lambda _: left.pop(), routes=tmp_path / "route")

    return find


@pytest.mark.parametrize(
    ("url", "addresses", "address"),
    [
        ("http://app:8000", ["172.18.0.2", "172.18.0.3"], ("172.18.0.2", 8000)),
        ("http://localhost/x", ["127.0.0.1"], ("127.0.0.1", 80)),
        ("http://nobody:8000", [], None),
    ],
)
def test_a_name_is_looked_up_once_and_its_first_address_taken(found, url, addresses, address):
    assert found(url, *addresses) == address


def test_one_address_out_of_bounds_is_enough_to_refuse(found):
    with pytest.raises(OutOfBounds, match=r"app \(203.0.113.7\) is neither loopback nor on a network"):
        found("http://app:8000", "172.18.0.2", "203.0.113.7")


def test_an_address_of_this_machine_needs_no_lookup_of_ours():
    assert address_of("http://127.0.0.1:81") == ("127.0.0.1", 81)


def ending(why=None):
    async def work(write):
        write("a line\n")
        if why:
            raise why

    return work


def test_lines_go_to_stdout(capsys):
    run("flood", ending())
    assert capsys.readouterr() == ("a line\n", "")


def test_who_may_not_send_there_ends_with_2_and_says_so(capsys):
    with pytest.raises(SystemExit) as ended:
        run("flood", ending(OutOfBounds("8.8.8.8 is not ours")))
    assert (ended.value.code, capsys.readouterr().err) == (2, "flood: 8.8.8.8 is not ours\n")


def test_who_is_told_wrongly_says_which_variable():
    def told_wrongly(_write):
        raise SettingsError("LAB_FLOOD_PATH=x: must be a path")

    with pytest.raises(SystemExit) as ended:
        run("flood", told_wrongly)
    assert ended.value.code == "flood: LAB_FLOOD_PATH=x: must be a path"
