"""What is read from the archive of an image's files, and what counts as a difference."""

import io
import tarfile

import pytest

from serverlab.imagefiles import differing, read_contents

STATUS = b"""Package: libc6
Status: install ok installed

Package: gone
Status: deinstall ok config-files

Package: nginx
Status: install ok installed
"""


@pytest.fixture
def contents(tmp_path):
    """Pack files, each {content, mode, mtime, link}, as the engine does, and read them."""

    def read(**files):
        archive = tmp_path / "files.tar"
        with tarfile.open(archive, mode="w") as tar:
            for name, described in files.items():
                entry = tarfile.TarInfo(name)
                content = described.get("content", b"")
                entry.size, entry.mode = len(content), described.get("mode", 0o644)
                entry.mtime, entry.uid = described.get("mtime", 0), described.get("uid", 0)
                if "link" in described:
                    entry.type, entry.linkname = tarfile.SYMTYPE, described["link"]
                tar.addfile(entry, io.BytesIO(content))
        return read_contents(archive)

    return read


def test_times_do_not_count(contents):
    assert differing(contents(a={"mtime": 1}), contents(a={"mtime": 2})) == []


@pytest.mark.parametrize(
    ("first", "second", "lines"),
    [
        ({"content": b"1"}, {"content": b"2"}, ["a: not the same"]),
        ({"mode": 0o644}, {"mode": 0o600}, ["a: not the same"]),
        ({"uid": 0}, {"uid": 1}, ["a: not the same"]),
        ({"link": "x"}, {"link": "y"}, ["a: not the same"]),
        ({"link": "x"}, {}, ["a: not the same"]),
    ],
)
def test_all_else_counts(contents, first, second, lines):
    assert differing(contents(a=first), contents(a=second)) == lines


def test_a_file_of_one_build_only_is_a_difference(contents):
    assert differing(contents(a={}, b={}), contents(b={}, c={})) == [
        "a: in one build only",
        "c: in one build only",
    ]


def test_what_the_engine_puts_into_every_container_is_not_of_the_image(contents):
    assert list(contents(**{".dockerenv": {}, "etc/hostname": {"content": b"f00"}, "app/x": {}}).files) == [
        "app/x"
    ]


def test_packages_are_counted_that_are_installed(contents):
    packages = "venv/lib/python3.13/site-packages"
    found = contents(
        **{
            "var/lib/dpkg/status": {"content": STATUS},
            f"{packages}/django-5.2.dist-info/METADATA": {},
            f"{packages}/django-5.2.dist-info/RECORD": {},
            f"{packages}/pip-25.dist-info/METADATA": {},
        }
    )
    assert (found.debian_packages, found.python_packages) == (2, 2)
