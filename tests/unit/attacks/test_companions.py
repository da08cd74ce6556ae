"""The container contract of what stands beside a server: containers that keep it, and some that break one rule."""

import json
from types import SimpleNamespace

import pytest

from serverlab.attacks import companions, containers, handed, scripts
from serverlab.attacks.profiles import SPLIT
from serverlab.compose import SERVICE_LABEL, Database
from serverlab.model.definitions import Target
from serverlab.model.security import Verdict
from tests.unit.attacks.sites import Site, a_stage

STATUS = {
    "Name": ["redis-server"],
    "Uid": ["10001"] * 4,
    "CapEff": ["0"],
    "CapBnd": ["0"],
    "NoNewPrivs": ["1"],
    "Seccomp": ["2"],
}
MOUNTS = [{"Type": "bind", "Destination": "/run/secrets/jwt_key", "RW": False}]
SERVICES = ("app", "edge", "cache", "realtime")


def a_container(service, *, host=None, user="10001:10001", status=None, files="16384 16384"):
    """A container that keeps the contract, but for what is given."""
    bounds = companions.BOUNDS[service]
    kept = {
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "CapAdd": None,
        "SecurityOpt": ["no-new-privileges:true"],
        "PidsLimit": bounds.processes,
        "Memory": bounds.memory_mib << 20,
        "MemorySwap": bounds.memory_mib << 20,
        "NanoCpus": int(bounds.cpus * 1e9),
        "CpusetCpus": "0",
        "Ulimits": containers.ULIMITS,
        "Tmpfs": {"/tmp": ""},
    }
    said = {
        scripts.STATUS: json.dumps([STATUS | (status or {})]),
        scripts.FOLDERS: "/tmp",
        scripts.PRIVILEGED: "",
        companions.OPEN_FILES: files,
        handed.ENVIRONMENTS: "PATH=/bin",
    }
    return SimpleNamespace(
        name=service,
        labels={SERVICE_LABEL: service},
        attrs={
            "HostConfig": kept | (host or {}),
            "Config": {"User": user, "Env": []},
            "Mounts": MOUNTS if service in handed.HOLDERS else [],
        },
        exec_run=lambda argv: SimpleNamespace(exit_code=0, output=said[argv[-1]].encode()),
    )


def outcome_of(*found, target=SPLIT, realtime=True, database=Database.SQLITE):
    stage = a_stage(Site(), realtime=realtime)
    stage.settings.target = Target.parse(target)
    stage.settings.split = SimpleNamespace(stack="0")
    stage.settings.database = database
    stage.settings.secrets = lambda: {"jwt_key": "s3cr3t"}
    stage.engine.containers = lambda: list(found)
    return companions.contract(stage)


def test_containers_that_keep_the_contract_pass():
    outcome = outcome_of(*map(a_container, SERVICES))
    assert (outcome.verdict, outcome.seen) == (Verdict.PASS, "app, cache, edge, realtime: kept")


def test_one_that_has_ended_is_judged_by_what_the_engine_says_of_it():
    ended = a_container("migrate")
    del ended.exec_run
    services = [*map(a_container, ("app", "edge", "cache", "db")), ended]
    outcome = outcome_of(*services, realtime=False, database=Database.POSTGRES)
    assert (outcome.verdict, outcome.seen) == (Verdict.PASS, "app, cache, db, edge, migrate: kept")


@pytest.mark.parametrize(
    ("broken", "seen"),
    [
        ({"user": ""}, "cache, user: "),
        ({"host": {"ReadonlyRootfs": False}}, "cache, read-only root: False"),
        ({"host": {"CapAdd": ["NET_ADMIN"]}}, "cache, cap_add: ['NET_ADMIN']"),
        ({"host": {"SecurityOpt": None}}, "cache, privileges: None"),
        ({"host": {"PidsLimit": 0}}, "cache, processes: 0"),
        ({"host": {"MemorySwap": -1}}, "cache, memory and swap: -1"),
        ({"host": {"Ulimits": None}}, "cache, open files: None"),
        ({"files": "1048576 1048576"}, "cache, open files within: 1048576 1048576"),
        ({"status": {"Uid": ["0"]}}, "cache, user ids: 0"),
        ({"status": {"CapEff": ["1"]}}, "cache, capabilities: "),
        ({"status": {"NoNewPrivs": ["0"]}}, "cache, no new privileges: 0"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_one_that_breaks_a_rule_is_found(broken, seen):
    outcome = outcome_of(a_container("cache", **broken), *map(a_container, ("app", "edge", "realtime")))
    assert outcome.verdict is Verdict.FAIL
    assert outcome.seen.startswith(seen)


@pytest.mark.parametrize("service", ["app", "edge"])
def test_what_every_target_is_asked_from_within_is_not_asked_again(service):
    container = a_container(service)
    del container.exec_run
    others = [a_container(each) for each in SERVICES if each != service]
    assert outcome_of(container, *others).verdict is Verdict.PASS


def test_a_container_that_is_not_there_is_missed():
    outcome = outcome_of(*map(a_container, ("app", "edge", "cache")))
    assert (outcome.verdict, outcome.seen) == (Verdict.FAIL, "containers: app, cache, edge")


def test_they_are_asked_on_one_target():
    outcome = outcome_of(target="daphne:production+nginx")
    wanted = "the same containers beside every server: asked on gunicorn:gthread+nginx only"
    assert (outcome.verdict, outcome.reason) == (Verdict.NA, wanted)
