"""`images`: what it builds, whether two builds are the same, and what the images are made of."""

import io
import json
import tarfile
from itertools import count

import pytest

from tests.fakes import Answer


@pytest.fixture
def holding(fake):
    """Let every image hold one file with what the function gives."""

    def hold(content):
        def export(argv):
            written = content().encode()
            with tarfile.open(argv[2].removeprefix("--output="), mode="w") as tar:
                entry = tarfile.TarInfo("made")
                entry.size = len(written)
                tar.addfile(entry, io.BytesIO(written))

        fake.shell.script |= {
            "docker create": Answer(stdout="c0ffee\n"),
            "docker rm": Answer(),
            "docker export": Answer(does=export),
        }

    return hold


def test_builds_that_are_the_same_pass(cli, holding):
    holding(lambda: "the same")
    verified = cli("images", "--verify")
    assert verified.code == 0
    assert verified.out.splitlines()[0] == "app: two builds are the same"


def test_builds_that_differ_fail_and_the_paths_are_told(cli, holding):
    moments = count()
    holding(lambda: str(next(moments)))
    verified = cli("images", "--verify")
    assert verified.code == 1
    assert verified.out.splitlines()[:2] == ["app: 1 file differs", "  made: not the same"]


def test_a_machine_reads_what_the_images_are_made_of(cli, holding):
    holding(lambda: "the same")
    inventory = json.loads(cli("images", "--json").out)
    assert inventory["known_vulnerabilities"] is None
    assert inventory["images"][0] == {
        "name": "app",
        "size_bytes": 1000,
        "debian_packages": 0,
        "python_packages": 0,
        "differing_paths": None,
    }


def test_a_machine_reads_whether_two_builds_are_the_same(cli, holding):
    moments = count()
    holding(lambda: str(next(moments)))
    verified = cli("images", "--verify", "--json")
    assert verified.code == 1
    assert {each["differing_paths"] for each in json.loads(verified.out)["images"]} == {1}


def test_nothing_is_printed_unless_it_is_asked_for(cli, fake):
    assert (cli("images").code, cli("images").out) == (0, "")
