"""Secrets in the environment of containers: found in the engine's words and in processes, and missed as files."""

from types import SimpleNamespace

import pytest

from serverlab.attacks import handed
from serverlab.attacks.stage import failed, passed
from serverlab.compose import SERVICE_LABEL
from tests.unit.attacks.sites import a_stage

FILE = {"Type": "bind", "Destination": "/run/secrets/jwt_key", "RW": False}
DATA = {"Type": "volume", "Destination": "/data", "RW": True}


def outcome_of(service="app", *, told=("PATH=/bin",), within="PATH=/bin", mounts=(FILE, DATA)):
    container = SimpleNamespace(
        labels={SERVICE_LABEL: service},
        attrs={"Config": {"Env": list(told)}, "Mounts": list(mounts)},
        exec_run=lambda argv: SimpleNamespace(exit_code=0, output=within.encode()),
    )
    stage = a_stage(lambda _: None)
    stage.settings.secrets = lambda: {"jwt_key": "s3cr3t", "jwt_keys": ""}
    stage.engine.containers = lambda: [container]
    return handed.ATTACKS[0].run(stage)


def test_secrets_in_files_pass():
    assert outcome_of() == passed("none")
    assert outcome_of("edge", mounts=()) == passed("none")


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"told": ("DJANGO_JWT_KEY=s3cr3t",)}, "app, the engine's words: jwt_key"),
        ({"within": "PATH=/bin\nDJANGO_JWT_KEY=s3cr3t"}, "app, processes: jwt_key"),
        ({"within": ""}, "app, processes: their environments can be read"),
        ({"within": f"PATH=/bin\n{handed.UNREADABLE}"}, "app, processes: their environments can be read"),
        ({"mounts": (DATA,)}, "app, files: "),
        ({"mounts": ({**FILE, "RW": True},)}, "app, files: "),
        ({"service": "edge"}, "edge, files: /run/secrets/jwt_key"),
    ],
)
def test_what_is_elsewhere_is_found(given, seen):
    assert outcome_of(**given) == failed(seen, "1 of 4 are wrong")
