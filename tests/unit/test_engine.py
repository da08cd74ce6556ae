"""Finding, installing and starting an engine, on machines that exist only as a folder and a script of answers."""

import json
import os

import pytest

from serverlab.engine import EngineFacts, Machine, ensure_engine, inspect_engine
from serverlab.errors import CommandFailed, EnvironmentLacks
from tests.fakes import ABSENT, NO, Answer, FakeShell

ASK = "docker version"
SILENT = Answer(returncode=1, stderr="Cannot connect to the Docker daemon. Is the docker daemon running?")
OS_RELEASE = {
    "bookworm": 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian 12"\n',
    "trixie": 'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian 13"\n',
    "noble": 'ID=ubuntu\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nPRETTY_NAME="Ubuntu 24.04"\n',
    "bullseye": 'ID=debian\nVERSION_ID="11"\nVERSION_CODENAME=bullseye\nPRETTY_NAME="Debian 11"\n',
    "fedora": 'ID=fedora\nVERSION_ID="43"\nPRETTY_NAME="Fedora 43"\n',
}
SOURCES = (
    "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
)


def running(version="26.1.5", api="1.45"):
    return Answer(stdout=json.dumps({"Version": version, "ApiVersion": api}))


PLUGINS = {
    "docker compose version": Answer(stdout="2.26.1-4\n"),
    "docker buildx version": Answer(stdout="github.com/docker/buildx v0.13.1 abc\n"),
}
INSTALL = {"apt-get": Answer(), "dockerd --version": ABSENT, "start dockerd": Answer()}


def machine(tmp_path, release="bookworm", **changes):
    for folder in ("etc/apt/sources.list.d", "var/run", "proc"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text(OS_RELEASE[release])
    (tmp_path / "etc/apt/sources.list.d/debian.sources").write_text(SOURCES)
    return Machine(**{"root": tmp_path, "is_superuser": True, "docker_host": None} | changes)


def apt_lines(shell):
    return [
        call.removeprefix("apt-get -q -o DPkg::Lock::Timeout=120 ")
        for call in shell.calls
        if call.startswith("apt-get")
    ]


def test_an_engine_that_answers_is_used_and_nothing_is_changed(tmp_path):
    shell = FakeShell({ASK: running(), **PLUGINS})
    facts = ensure_engine(shell, pytest.fail, machine(tmp_path))
    assert facts == EngineFacts("26.1.5", "1.45", "2.26.1-4", "0.13.1")
    assert not apt_lines(shell)
    assert not shell.started


def test_debian_12_gets_the_engine_from_the_next_release_and_nothing_else(tmp_path):
    shell = FakeShell({ASK: [SILENT, SILENT, running()], **INSTALL, **PLUGINS})
    here = machine(tmp_path)
    ensure_engine(shell, lambda line: None, here)
    assert apt_lines(shell) == [
        "update",
        (
            "install --yes --no-install-recommends docker.io/trixie docker-cli/trixie docker-compose/trixie "
            "docker-buildx/trixie containerd runc iptables debootstrap"
        ),
    ]
    added = (tmp_path / "etc/apt/sources.list.d/serverlab-trixie.sources").read_text()
    assert (
        added
        == "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie trixie-updates\nComponents: main\n"
    )
    pinned = (tmp_path / "etc/apt/preferences.d/serverlab-trixie").read_text()
    assert "Pin-Priority: 50\n" in pinned


@pytest.mark.parametrize(
    ("release", "first"),
    [("trixie", "docker.io docker-cli docker-compose"), ("noble", "docker.io docker-compose-v2")],
)
def test_newer_releases_get_their_own_packages(tmp_path, release, first):
    shell = FakeShell({ASK: [SILENT, running()], **INSTALL, **PLUGINS})
    ensure_engine(shell, lambda line: None, machine(tmp_path, release))
    assert apt_lines(shell)[1].startswith(f"install --yes --no-install-recommends {first} docker-buildx ")
    assert not (tmp_path / "etc/apt/sources.list.d/serverlab-trixie.sources").exists()


def test_apt_asks_no_questions(tmp_path):
    shell = FakeShell({ASK: [SILENT, running()], **INSTALL, **PLUGINS})
    ensure_engine(shell, lambda line: None, machine(tmp_path, "trixie"))
    asked = {
        call: env for call, env in zip(shell.calls, shell.environments, strict=True) if "apt-get" in call
    }
    assert all(env["DEBIAN_FRONTEND"] == "noninteractive" for env in asked.values())


@pytest.mark.parametrize("release", ["bullseye", "fedora"])
def test_elsewhere_nothing_is_installed_and_the_way_out_is_told(tmp_path, release):
    shell = FakeShell({ASK: ABSENT, "dockerd --version": ABSENT})
    with pytest.raises(EnvironmentLacks, match="the lab installs none") as caught:
        ensure_engine(shell, lambda line: None, machine(tmp_path, release))
    assert "Docker Engine 25" in caught.value.hint


def test_without_root_nothing_is_installed(tmp_path):
    shell = FakeShell({ASK: SILENT, "dockerd --version": ABSENT})
    with pytest.raises(EnvironmentLacks, match="needs root"):
        ensure_engine(shell, lambda line: None, machine(tmp_path, is_superuser=False))


def test_a_failing_apt_shows_its_last_words(tmp_path):
    shell = FakeShell({ASK: SILENT, **INSTALL, "apt-get": Answer(returncode=100, stderr="E: no such mirror")})
    with pytest.raises(CommandFailed, match="E: no such mirror"):
        ensure_engine(shell, lambda line: None, machine(tmp_path))


def test_an_engine_of_others_is_refused_with_the_way_to_be_let_in(tmp_path):
    shell = FakeShell({ASK: Answer(returncode=1, stderr="permission denied while trying to connect")})
    with pytest.raises(EnvironmentLacks, match="may not use it") as caught:
        ensure_engine(shell, lambda line: None, machine(tmp_path))
    assert "usermod -aG docker" in caught.value.hint


def test_a_named_engine_that_is_silent_is_not_replaced_by_another(tmp_path):
    shell = FakeShell({ASK: SILENT})
    with pytest.raises(EnvironmentLacks, match="DOCKER_HOST is ssh://elsewhere"):
        ensure_engine(shell, lambda line: None, machine(tmp_path, docker_host="ssh://elsewhere"))


def test_a_stopped_daemon_is_started_in_its_own_session(tmp_path):
    shell = FakeShell(
        {ASK: [SILENT, running()], "dockerd --version": Answer(), "start dockerd": Answer(), **PLUGINS}
    )
    ensure_engine(shell, lambda line: None, machine(tmp_path))
    assert shell.started == [
        (f"dockerd --pidfile {tmp_path}/var/run/docker.pid", tmp_path / "var/log/serverlab-dockerd.log")
    ]
    assert not apt_lines(shell)


def test_systemd_starts_the_daemon_where_it_runs(tmp_path):
    here = machine(tmp_path)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    shell = FakeShell({ASK: [SILENT, running()], "dockerd": Answer(), "systemctl": Answer(), **PLUGINS})
    ensure_engine(shell, lambda line: None, here)
    assert "systemctl start docker" in shell.calls
    assert not shell.started


@pytest.mark.parametrize("left_behind", ["4242", "not a number", ""])
def test_a_stale_pid_file_is_removed_before_the_start(tmp_path, left_behind):
    here = machine(tmp_path)
    pid_file = tmp_path / "var/run/docker.pid"
    pid_file.write_text(left_behind)
    (tmp_path / "proc/4242").mkdir()
    (tmp_path / "proc/4242/comm").write_text("somebody-else\n")
    shell = FakeShell({ASK: [SILENT, running()], "dockerd": Answer(), "start dockerd": Answer(), **PLUGINS})
    ensure_engine(shell, lambda line: None, here)
    assert not pid_file.exists()
    assert shell.started


def test_a_daemon_that_is_just_starting_is_awaited_and_not_started_twice(tmp_path):
    here = machine(tmp_path)
    (tmp_path / "var/run/docker.pid").write_text("4242")
    (tmp_path / "proc/4242").mkdir()
    (tmp_path / "proc/4242/comm").write_text("dockerd\n")
    shell = FakeShell({ASK: [SILENT, running()], "dockerd": Answer(), **PLUGINS})
    ensure_engine(shell, lambda line: None, here)
    assert not shell.started


def test_a_daemon_that_never_answers_is_reported_with_its_log(tmp_path):
    def write_log(argv):
        log = tmp_path / "var/log/serverlab-dockerd.log"
        log.parent.mkdir(parents=True)
        log.write_text("failed to start: no iptables\n")

    shell = FakeShell({ASK: SILENT, "dockerd": Answer(), "start dockerd": Answer(does=write_log)})
    here = machine(tmp_path, start_deadline_s=0.0)
    with pytest.raises(CommandFailed, match=r"did not answer within 0 s(.|\n)*no iptables"):
        ensure_engine(shell, lambda line: None, here)


def test_an_old_engine_is_refused():
    shell = FakeShell({ASK: running("20.10.24", "1.41"), **PLUGINS})
    with pytest.raises(EnvironmentLacks, match=r"20\.10\.24 \(API 1\.41\)"):
        inspect_engine(shell)


@pytest.mark.parametrize("compose", [NO, Answer(stdout="1.29.2\n"), Answer(stdout="")])
def test_compose_must_be_version_2(compose):
    shell = FakeShell({ASK: running(), **PLUGINS, "docker compose version": compose})
    with pytest.raises(EnvironmentLacks, match="Compose v2"):
        inspect_engine(shell)


def test_buildx_must_be_there():
    shell = FakeShell({ASK: running(), **PLUGINS, "docker buildx version": NO})
    with pytest.raises(EnvironmentLacks, match="buildx"):
        inspect_engine(shell)


def test_newer_compose_versions_are_accepted():
    shell = FakeShell(
        {ASK: running("29.0.0", "1.52"), **PLUGINS, "docker compose version": Answer(stdout="v5.0.1\n")}
    )
    assert inspect_engine(shell).compose_version == "5.0.1"


def test_a_machine_is_this_one_unless_told_otherwise():
    assert Machine().is_superuser == (os.geteuid() == 0)
