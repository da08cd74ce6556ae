"""What in an image's description counts as a secret, and when a health check saw that its server was stopped."""

import json
from types import SimpleNamespace

import pytest

from serverlab.attacks.containers import health, secret_in
from serverlab.attacks.stage import failed, passed
from serverlab.compose import SERVICE_LABEL
from tests.unit.attacks.sites import a_stage


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DJANGO_SECRET_KEY=s3cr3t-of-somebody", "DJANGO_SECRET_KEY"),
        ("ENV DB_PASSWORD='correct-horse'", "DB_PASSWORD"),
        ("RUN |1 pip_token=abcdef0123456789 /bin/sh -c pip install", "pip_token"),
        ("-----BEGIN EC " + "PRIVATE KEY-----", "a private key"),
    ],
)
def test_a_name_with_its_value_is_one_and_the_value_is_not_repeated(text, found):
    assert secret_in(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "PATH=/venv/bin:/usr/bin",
        'DJANGO_SECRET_KEY="$(key)" DJANGO_JWT_KEY="$(key)"',
        "RUN --mount=type=secret,id=pip_conf pip install",
        "GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305",
    ],
)
def test_names_without_values_are_none(text):
    assert secret_in(text) is None


COMMAND = ["python3", "/app/health.py"]
WELL = (0, "")
SILENT = (1, "health: timed out")


def outcome_of(*ends):
    """What is found where the health check ends so while the server is well, and while it is stopped."""

    def exec_run(argv):
        return SimpleNamespace(exit_code=0, output=b"" if argv == COMMAND else json.dumps(ends).encode())

    test = {"Config": {"Healthcheck": {"Test": ["CMD", *COMMAND]}}}
    container = SimpleNamespace(name="app-1", labels={SERVICE_LABEL: "app"}, attrs=test, exec_run=exec_run)
    stage = a_stage(lambda _: None)
    stage.engine.containers = lambda _service: [container]
    return health(stage)


def test_a_health_check_that_says_that_a_stopped_server_is_ill_passes():
    assert outcome_of(WELL, SILENT) == passed("well, then ill while it is stopped, then well")


@pytest.mark.parametrize(
    ("ends", "seen", "reason"),
    [
        ((WELL, (0, "")), "app, exit codes: 0, 0; app, words while stopped: ''", "2 of 4 are wrong"),
        ((WELL, (-9, "")), "app, exit codes: 0, -9; app, words while stopped: ''", "2 of 4 are wrong"),
        ((SILENT, SILENT), "app, exit codes: 1, 1", "1 of 4 are wrong"),
        (
            (WELL, (1, "Traceback (most recent call last):\n  ...\nKeyError: 3")),
            "app, words while stopped: 'Traceback (most recent call last):\\n  ...\\nKeyError: 3'",
            "1 of 4 are wrong",
        ),
    ],
    ids=["well while it is stopped", "killed", "ill before", "crashed"],
)
def test_a_health_check_that_ends_otherwise_is_found(ends, seen, reason):
    assert outcome_of(*ends) == failed(seen, reason)
