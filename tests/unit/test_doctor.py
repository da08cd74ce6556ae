"""What the doctor finds on machines in every state."""

import json
import os

import pytest

from serverlab.base import BOOTSTRAPPED_BASE, DEFAULT_BASE
from serverlab.doctor import Finding, Senses, State, examine, line
from serverlab.engine import Machine
from tests.fakes import ABSENT, NO, Answer, FakeShell

NOW = 1_800_000_000.0  # 2027-01-15 08:00 UTC
INFO = {
    "NCPU": 2,
    "MemoryLimit": True,
    "CpuCfsQuota": True,
    "CPUSet": True,
    "PidsLimit": True,
    "CgroupVersion": "2",
    "DockerRootDir": "/var/lib/docker",
    "SystemTime": "2027-01-15T08:00:00.123456789Z",
    "KernelVersion": "6",
}
LISTS = ("docker ps", "docker network ls", "docker volume ls")


def healthy(**changes):
    script = {
        "docker version": Answer(stdout='{"Version": "26.1.5", "ApiVersion": "1.45"}'),
        "docker compose version": Answer(stdout="2.26.1"),
        "docker buildx version": Answer(stdout="x v0.13.1 y"),
        "docker info": Answer(stdout=json.dumps(INFO | changes)),
        "docker image inspect": Answer(),
        **dict.fromkeys(LISTS, Answer()),
    }
    return FakeShell(script)


def senses(*, free_gb=100.0, taken=(), now=NOW):
    return Senses(
        now=lambda: now,
        free_bytes=lambda path: None if free_gb is None else int(free_gb * 1e9),
        port_is_free=lambda port: port not in taken,
    )


def find(name, shell, tmp_path, *, environment=None, **seen):
    machine = Machine(root=tmp_path, is_superuser=True, docker_host=None)
    findings = examine(shell, tmp_path, senses=senses(**seen), machine=machine, environment=environment or {})
    return next(finding for finding in findings if finding.name == name)


def test_on_a_healthy_machine_all_is_well(tmp_path):
    findings = examine(healthy(), tmp_path, senses=senses(), environment={})
    assert {finding.state for finding in findings} == {State.OK}
    assert [finding.name for finding in findings] == [
        "engine",
        "cores",
        "cgroups",
        "disk",
        "base image",
        "engine's clock",
        "leftovers",
        "clock",
        "port 8000",
        "port 8443",
        "port 8089",
    ]


def test_without_an_engine_the_rest_is_still_looked_at(tmp_path):
    findings = examine(FakeShell({"docker version": ABSENT}), tmp_path, senses=senses(), environment={})
    assert [finding.name for finding in findings] == [
        "engine",
        "clock",
        "port 8000",
        "port 8443",
        "port 8089",
    ]
    assert findings[0].state is State.FAIL
    assert "Install Docker Engine" in findings[0].mend


def test_a_single_core_is_a_warning(tmp_path):
    assert find("cores", healthy(NCPU=1), tmp_path).state is State.WARN


def test_an_engine_that_cannot_limit_is_no_engine_for_a_fair_comparison(tmp_path):
    finding = find("cgroups", healthy(CPUSet=False, PidsLimit=False), tmp_path)
    assert (finding.state, finding.what) == (
        State.FAIL,
        "cgroup v2: the engine cannot limit core sets, processes",
    )


@pytest.mark.parametrize(
    ("free_gb", "app", "state"),
    [
        (5.9, NO, State.FAIL),
        (6.1, NO, State.OK),
        (5.9, Answer(), State.OK),
        (1.9, Answer(), State.FAIL),
        (None, NO, State.WARN),
    ],
)
def test_a_cold_machine_needs_more_disk_than_a_warm_one(tmp_path, free_gb, app, state):
    shell = healthy()
    shell.script = {**shell.script, "docker image inspect --format {{.Id}} serverlab/app:dev": app}
    assert find("disk", shell, tmp_path, free_gb=free_gb).state is state


def base_image(tmp_path, *, here=(), environment=None, distribution="debian"):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(f"ID={distribution}\n")
    shell = healthy()
    inspect = "docker image inspect --format {{.Id}} "
    shell.script = {**shell.script, inspect: NO, **{inspect + name: Answer() for name in here}}
    return find("base image", shell, tmp_path, environment=environment)


def test_a_base_image_that_is_here_is_named(tmp_path):
    assert base_image(tmp_path, here=[BOOTSTRAPPED_BASE]).what == f"{BOOTSTRAPPED_BASE} is here"


def test_a_named_base_image_that_is_absent_is_told_even_if_another_is_here(tmp_path):
    finding = base_image(tmp_path, here=[DEFAULT_BASE], environment={"BASE_IMAGE": "mine:1"})
    assert (finding.state, finding.mend) == (State.WARN, "`docker pull mine:1`")


def test_on_debian_a_missing_base_image_is_no_trouble(tmp_path):
    assert base_image(tmp_path).state is State.OK


def test_elsewhere_a_missing_base_image_has_to_be_pulled(tmp_path):
    assert base_image(tmp_path, distribution="fedora").state is State.WARN


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("2027-01-15T08:00:01Z", State.OK),
        ("2027-01-15T07:59:00Z", State.FAIL),
        ("gibberish", State.WARN),
    ],
)
def test_an_engine_whose_clock_has_drifted_is_found(tmp_path, said, state):
    assert find("engine's clock", healthy(SystemTime=said), tmp_path).state is state


def test_what_an_earlier_lab_left_behind_is_counted(tmp_path):
    shell = healthy()
    shell.script = {
        **shell.script,
        "docker ps": Answer(stdout="a\nb\n"),
        "docker volume ls": Answer(stdout="v\n"),
    }
    finding = find("leftovers", shell, tmp_path)
    assert (finding.state, finding.what) == (State.WARN, "of the lab there are 2 containers, 1 volumes")
    asked = [call for call in shell.calls if call.startswith(LISTS)]
    assert len(asked) == 3
    assert all(call.endswith("--filter label=org.serverlab") for call in asked)


def test_a_clock_before_the_last_change_of_the_checkout_is_wrong(tmp_path):
    (tmp_path / "pyproject.toml").write_text("")
    os.utime(tmp_path / "pyproject.toml", (NOW + 3600, NOW + 3600))
    finding = find("clock", healthy(), tmp_path)
    assert finding.state is State.FAIL
    assert "3600 s younger" in finding.what


def test_a_taken_port_is_a_warning_because_measuring_needs_none(tmp_path):
    finding = find("port 8000", healthy(), tmp_path, taken={8000})
    assert (finding.state, finding.what) == (State.WARN, "taken (HTTP)")


def test_a_finding_is_a_line_and_its_cure_another():
    assert line(Finding("disk", State.FAIL, "full", "make room")) == "fail  disk: full\n      make room"
    assert line(Finding("disk", State.OK, "plenty")) == "ok    disk: plenty"
