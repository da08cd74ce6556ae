"""Files with the secrets of a stack: who can reach them, and what is never taken for their folder."""

import stat

import pytest

from serverlab import secretfiles
from serverlab.errors import EnvironmentLacks


def modes(folder):
    return {each.name: oct(stat.S_IMODE(each.stat().st_mode)) for each in (folder, *folder.iterdir())}


def test_only_the_owner_gets_to_the_files_and_a_container_can_read_each(tmp_path):
    folder = tmp_path / "kept"
    secretfiles.write(folder, {"one": "1", "none": ""})
    assert modes(folder) == {"kept": "0o700", "one": "0o444", "none": "0o444"}
    assert {each.name: each.read_text() for each in folder.iterdir()} == {"one": "1", "none": ""}


def test_nothing_of_an_earlier_stack_stays(tmp_path):
    secretfiles.write(tmp_path / "kept", {"old": "1"})
    secretfiles.write(tmp_path / "kept", {"new": "2"})
    assert [each.name for each in (tmp_path / "kept").iterdir()] == ["new"]
    secretfiles.remove(tmp_path / "kept")
    secretfiles.remove(tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_their_place_is_neither_followed_nor_removed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "kept").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EnvironmentLacks, match="the secrets of a stack cannot be kept there"):
        secretfiles.write(tmp_path / "kept", {"one": "1"})
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (tmp_path / "kept").is_symlink()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "kept").mkdir()
    monkeypatch.setattr(secretfiles.os, "getuid", lambda: 4242)
    with pytest.raises(EnvironmentLacks):
        secretfiles.write(tmp_path / "kept", {"one": "1"})
    with pytest.raises(EnvironmentLacks, match="it is no folder of this user's"):
        secretfiles.remove(tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []
