"""Finding, pulling or making the base image."""

from pathlib import Path

import pytest

from serverlab.base import BOOTSTRAPPED_BASE, DEFAULT_BASE, ensure_base
from serverlab.engine import Machine
from serverlab.errors import EnvironmentLacks
from tests.fakes import ABSENT, NO, Answer, FakeShell

INSPECT = "docker image inspect --format {{.Id}} "
SOURCES = (
    "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\nSigned-By: /keys/mine.gpg\n\n"
    "Types: deb\nURIs: http://mirror.example/security\nSuites: bookworm-security\nComponents: main\n"
)


def machine(tmp_path, *, distribution="debian", is_superuser=True):
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "var/tmp").mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text(f"ID={distribution}\nVERSION_ID=12\nVERSION_CODENAME=bookworm\n")
    (tmp_path / "etc/apt/sources.list.d/debian.sources").write_text(SOURCES)
    return Machine(root=tmp_path, is_superuser=is_superuser, docker_host=None)


def ensure(shell, here=None, **environment):
    return ensure_base(shell, lambda line: None, machine=here, environment=environment)


def make_system(argv):
    """Leave behind what debootstrap would, as far as it matters."""
    system = Path(next(word for word in argv if word.endswith("/system")))
    for folder in ("etc/apt/apt.conf.d", "var/cache/apt/archives", "usr/share/man/man1", "usr/bin"):
        (system / folder).mkdir(parents=True)
    (system / "etc/apt/sources.list").write_text("deb http://mirror.example/debian trixie main\n")
    (system / "var/cache/apt/archives/x.deb").write_text("")


def test_an_image_that_is_here_is_used_as_it_is():
    shell = FakeShell({INSPECT + DEFAULT_BASE: Answer(stdout="sha256:1")})
    assert ensure(shell) == DEFAULT_BASE
    assert shell.calls == [INSPECT + DEFAULT_BASE]


def test_an_image_that_was_made_before_is_used_without_trying_to_pull_again():
    shell = FakeShell({INSPECT + DEFAULT_BASE: NO, INSPECT + BOOTSTRAPPED_BASE: Answer()})
    assert ensure(shell) == BOOTSTRAPPED_BASE
    assert not any("pull" in call for call in shell.calls)


def test_an_image_that_can_be_pulled_is_pulled():
    shell = FakeShell(
        {INSPECT: NO, f"docker pull {DEFAULT_BASE}": Answer(stdout="Pulling from library/python")}
    )
    assert ensure(shell) == DEFAULT_BASE


def test_a_named_image_is_pulled_and_nothing_else_is_taken_for_it():
    shell = FakeShell({INSPECT + "mine:1": NO, "docker pull mine:1": NO})
    with pytest.raises(EnvironmentLacks, match="mine:1 is not here and cannot be pulled"):
        ensure(shell, BASE_IMAGE="mine:1")


def test_a_registry_that_never_answers_is_tried_once(tmp_path):
    shell = FakeShell({INSPECT: NO, "docker pull": Answer(hangs=True)})
    with pytest.raises(EnvironmentLacks):
        ensure(shell, machine(tmp_path, distribution="fedora"))
    assert sum("docker pull" in call for call in shell.calls) == 1


def test_a_slow_pull_that_has_begun_gets_its_time():
    slow = Answer(stdout="Pulling from library/python", hangs=True)
    shell = FakeShell({INSPECT: NO, "docker pull": [slow, Answer(stdout="Status: Downloaded")]})
    assert ensure(shell) == DEFAULT_BASE


def test_without_a_registry_the_image_is_made_from_the_machines_mirror(tmp_path):
    seen = {}

    def look(argv):
        system = Path(argv[argv.index("-C") + 1])
        for name in ("etc/apt/sources.list.d/debian.sources", "etc/apt/apt.conf.d/serverlab"):
            seen[name] = (system / name).read_text()
        seen["left"] = sorted(path.name for path in system.rglob("*") if path.suffix in {".deb", ".list"})

    shell = FakeShell(
        {
            INSPECT: NO,
            "docker pull": NO,
            "debootstrap": Answer(does=lambda argv: make_system(argv) if "trixie" in argv else None),
            "tar": Answer(does=look),
            "docker import": Answer(),
        }
    )
    assert ensure(shell, machine(tmp_path)) == BOOTSTRAPPED_BASE
    made = next(call for call in shell.calls if call.startswith("debootstrap --variant"))
    assert "--include=ca-certificates,python3,python3-venv --keyring=/keys/mine.gpg trixie" in made
    assert made.endswith("/system http://mirror.example/debian")
    assert "LABEL org.serverlab=image" in next(call for call in shell.calls if "docker import" in call)
    assert seen == {
        "etc/apt/sources.list.d/debian.sources": (
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\n"
            "Signed-By: /keys/mine.gpg\n\n"
            "Types: deb\nURIs: http://mirror.example/security\nSuites: trixie-security\nComponents: main\n"
        ),
        "etc/apt/apt.conf.d/serverlab": 'Acquire::Languages "none";\n',
        "left": [],
    }
    assert list((tmp_path / "var/tmp").iterdir()) == []


def test_the_bootstrapped_image_can_be_asked_for_by_name(tmp_path):
    shell = FakeShell(
        {
            INSPECT: NO,
            "debootstrap": Answer(does=lambda argv: make_system(argv) if "trixie" in argv else None),
            "tar": Answer(),
            "docker import": Answer(),
        }
    )
    assert ensure(shell, machine(tmp_path), BASE_IMAGE=BOOTSTRAPPED_BASE) == BOOTSTRAPPED_BASE


def test_debootstrap_is_installed_where_it_is_missing(tmp_path):
    shell = FakeShell(
        {
            INSPECT: NO,
            "docker pull": NO,
            "debootstrap --version": ABSENT,
            "debootstrap --variant": Answer(does=make_system),
            "apt-get": Answer(),
            "tar": Answer(),
            "docker import": Answer(),
        }
    )
    ensure(shell, machine(tmp_path))
    assert any(call.endswith("install --yes --no-install-recommends debootstrap") for call in shell.calls)


@pytest.mark.parametrize("lack", [{"distribution": "ubuntu"}, {"is_superuser": False}])
def test_where_none_can_be_made_the_way_out_is_told(tmp_path, lack):
    shell = FakeShell({INSPECT: NO, "docker pull": NO})
    with pytest.raises(EnvironmentLacks, match="none can be made") as caught:
        ensure(shell, machine(tmp_path, **lack))
    assert "BASE_IMAGE" in caught.value.hint
