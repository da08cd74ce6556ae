"""Building twice and comparing, and the inventory, over an engine that only pretends."""

import io
import tarfile
from itertools import count

import pytest

from serverlab.base import DEFAULT_BASE
from serverlab.errors import CommandFailed
from serverlab.model.inventories import ImageInventory, Inventory
from serverlab.reproduction import NO_VULNERABILITY_LIST, compare_builds, take_inventory
from tests.fakes import NO, Answer
from tests.unit.test_images import FakeEngine


class FakeFiles(FakeEngine):
    """An engine whose images hold one file, and in those that are unlike themselves it is new each time."""

    def __init__(self, *unlike, **more):
        self.unlike, self.counter_of_files = unlike, count()
        super().__init__(
            docker_create=Answer(stdout="c0ffee\n"),
            docker_rm=Answer(),
            docker_export=Answer(does=self.export),
            **more,
        )

    def export(self, argv):
        created = next(call for call in reversed(self.calls) if call.startswith("docker create"))
        changes = any(name in created for name in self.unlike)
        content = str(next(self.counter_of_files)).encode() if changes else b"the same"
        with tarfile.open(argv[2].removeprefix("--output="), mode="w") as tar:
            entry = tarfile.TarInfo("made")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


@pytest.fixture
def root(tmp_path):
    for name in ("app", "deploy/gunicorn"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n")
    return tmp_path


def again(shell):
    return [call for call in shell.calls if ":again" in call]


def test_what_is_the_same_twice_and_what_is_not(root):
    shell = FakeFiles("gunicorn")
    found = compare_builds(shell, root, [].append, environment={})
    assert found == {"app": [], "gunicorn": ["made: not the same"]}


def test_the_inventory_says_how_many_paths_differed_where_an_image_was_built_twice(root):
    inventory = take_inventory(
        FakeFiles(), root, [].append, compared={"app": ["made: not the same"]}, environment={}
    )
    assert {image.name: image.differing_paths for image in inventory.images} == {"app": 1, "gunicorn": None}


def test_both_builds_are_made_from_nothing_and_removed(root):
    shell = FakeFiles()
    compare_builds(shell, root, [].append, names=["gunicorn"], environment={})
    builds = [call for call in again(shell) if "buildx build" in call]
    removals = [call for call in again(shell) if "image rm" in call]
    assert len(builds) == 2
    assert all(" --no-cache " in call and f"BASE_IMAGE={DEFAULT_BASE}" in call for call in builds)
    assert removals == ["docker image rm serverlab/gunicorn:again"] * 2
    assert [call for call in shell.calls if call.startswith("docker rm")] == ["docker rm --force c0ffee"] * 2


def test_nothing_is_left_when_an_image_cannot_be_read(root):
    shell = FakeFiles()
    shell.script = {**shell.script, "docker export": NO}
    with pytest.raises(CommandFailed):
        compare_builds(shell, root, [].append, names=["app"], environment={})
    assert shell.calls[-2:] == ["docker rm --force c0ffee", "docker image rm serverlab/app:again"]


def test_the_inventory_names_every_image_and_does_not_claim_to_know_vulnerabilities(root):
    inventory = take_inventory(FakeFiles(), root, [].append, environment={})
    empty = {"size_bytes": 1000, "debian_packages": 0, "python_packages": 0}
    assert inventory == Inventory(
        format=1,
        base=DEFAULT_BASE,
        known_vulnerabilities=None,
        vulnerabilities_note=NO_VULNERABILITY_LIST,
        images=(ImageInventory(name="app", **empty), ImageInventory(name="gunicorn", **empty)),
    )
