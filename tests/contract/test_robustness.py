"""The lab's own robustness with real containers: whatever ends it, nothing of it is left on the machine."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from serverlab import compose, host, probe, seeding, store
from serverlab.catalog import Catalog
from serverlab.cli.context import CHECKOUT
from serverlab.compose import Database, Engine, StackDied, StackSettings
from serverlab.errors import TrialFailed
from serverlab.lock import only_lab
from serverlab.model.definitions import Target
from serverlab.shell import HostShell
from tests.cleanliness import assert_clean, in_the_engine

SERVERLAB = [sys.executable, "-c", "import sys; from serverlab.cli.main import main; sys.exit(main())"]
EXPERIMENT = """\
format = 1
title = "Robust"
question = "What is left?"
targets = ["gunicorn:gthread"]
workloads = ["profile"]
reference = "gunicorn:gthread"
rounds = 1
control = false
seed = 7

[load]
warmup_s = 0.5
duration_s = {duration_s}
"""


def until(holds: Callable[[], object], *, within_s: float) -> float:
    """Return how many seconds it took until it holds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + within_s, "it never came to that"
        Event().wait(0.02)
    return time.monotonic() - began


@pytest.fixture
def lab(tmp_path: Path, engine: Engine) -> Iterator[Callable[[], tuple[int, Path]]]:
    """Starts `serverlab run`, in an experiment that measures for a minute; returns its process id and its log."""
    experiment, log, shell = tmp_path / "robust.toml", tmp_path / "log", HostShell()
    experiment.write_text(EXPERIMENT.format(duration_s=60))

    def start() -> tuple[int, Path]:
        pid = shell.start([*SERVERLAB, "run", str(experiment)], log=log)
        until(lambda: is_over(pid) or is_measuring(engine), within_s=60)
        assert not is_over(pid), log.read_text()
        return pid, log

    yield start
    for child in shell._started:
        child.kill()
        child.wait(10)
    engine.remove_all()
    shutil.rmtree(CHECKOUT / "results/robust", ignore_errors=True)


def is_measuring(engine: Engine) -> bool:
    return any(b'"measuring"' in load.logs() for load in engine.containers("load"))


def is_over(pid: int) -> bool:
    """Whether the child has ended, be it reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_lab_that_is_told_to_end_under_load_leaves_nothing(
    lab: Callable[[], tuple[int, Path]], engine: Engine, number: signal.Signals
) -> None:
    """Its run can be gone on with."""
    pid, log = lab()
    os.kill(pid, number)
    until(lambda: "Go on with: serverlab run --resume robust/" in log.read_text(), within_s=30)
    until(lambda: is_over(pid), within_s=10)
    assert_clean(engine, results=CHECKOUT / "results/robust")
    (path,) = (CHECKOUT / "results/robust").iterdir()
    assert len(store.pending(store.read_run(path))) == 1


def test_what_a_lab_leaves_that_is_killed_under_load_is_found_and_taken_away(
    lab: Callable[[], tuple[int, Path]], engine: Engine
) -> None:
    """Nobody can tidy up after SIGKILL but the next start, or `clean`."""
    pid, _ = lab()
    os.kill(pid, signal.SIGKILL)
    until(lambda: is_over(pid), within_s=10)
    assert any("serverlab-app-1" in each for each in in_the_engine(engine))
    cleaned = HostShell().run([*SERVERLAB, "clean"], timeout_s=60)
    assert (cleaned.returncode, "serverlab-app-1" in cleaned.stderr) == (0, True)
    assert_clean(engine, results=CHECKOUT / "results/robust")


def test_a_container_that_is_killed_under_load_ends_the_load_and_the_trial_at_once(
    lab: Callable[[], tuple[int, Path]], engine: Engine
) -> None:
    """A window of a minute is not waited for."""
    _, log = lab()
    app, load = engine.service("app"), engine.service("load")
    app.kill()
    gone_s = until(lambda: load.id not in running(engine), within_s=10)
    until(lambda: "VOID: under load serverlab-app-1 died" in log.read_text(), within_s=20)
    assert "serverlab-app-1 ended with 137" in log.read_text()
    assert gone_s < 1.5
    until(lambda: not list(in_the_engine(engine)), within_s=20)
    assert_clean(engine, results=CHECKOUT / "results/robust")


def running(engine: Engine) -> set[str]:
    """The ids of our containers that run."""
    return {each.id for each in engine.containers() if each.status == "running"}


def settings_of(catalog: Catalog, engine: Engine, **changes: object) -> StackSettings:
    target = Target.parse("gunicorn:gthread")
    plain = StackSettings(
        target=target,
        protocol=catalog.variant(target).protocol,
        cpus=1,
        replicas=1,
        split=host.assign_cores(1, host.cores_of(engine)),
        label="contract",
    )
    return replace(plain, **changes)


def test_a_stack_that_never_answers_is_given_up_with_its_log_and_taken_away(
    catalog: Catalog, engine: Engine, tmp_path: Path
) -> None:
    """A container that sleeps in the place of the server."""
    overlay = tmp_path / "asleep.yml"
    overlay.write_text("services: {app: {entrypoint: [sh, -c, 'echo good night; exec sleep 600']}}\n")
    settings = settings_of(catalog, engine, overlays=(str(overlay),))
    with only_lab():
        try:
            compose.up(HostShell(), engine, CHECKOUT, settings)
            with pytest.raises(StackDied) as given_up:
                probe.wait_ready(engine, settings, deadline_s=1.5)
        finally:
            engine.remove_all()
    assert "gunicorn:gthread was not ready within 1.5 s" in given_up.value.what
    assert "| good night" in given_up.value.what
    assert_clean(engine)


@pytest.mark.parametrize("database", list(Database))
def test_a_row_that_is_left_over_is_found_in_the_database_itself(
    start: Callable[..., object], engine: Engine, database: Database
) -> None:
    """The rows of a new stack are those of the seed, in both databases alike."""
    with start(Target.parse("gunicorn:gthread"), database=database) as settings:  # type: ignore[attr-defined]
        seeding.check_rows(engine, settings)
        script = "from catalogue.models import Author; Author.objects.filter(id=7).update(born=1999)"
        changed = engine.service("app").exec_run(
            ["/venv/bin/python", "/app/manage.py", "shell", "-c", script]
        )
        assert changed.exit_code == 0, changed.output
        with pytest.raises(TrialFailed, match=r"the database is not as it was seeded: 'author 50 "):
            seeding.check_rows(engine, settings)


def test_the_generator_refuses_whoever_is_not_on_its_network() -> None:
    """Nobody can be loaded by a slip of the pen."""
    options = ["--rm", "--network=none", "--env=LOCUST_HEADLESS=true", "--env=LOCUST_HOST=http://8.8.8.8"]
    locust = ["--env=LOCUST_LOCUSTFILE=/loadtests/ping/locustfile.py", "serverlab/load:dev"]
    asked = HostShell().run(["docker", "run", *options, *locust], timeout_s=60)
    assert asked.returncode == 2
    assert "8.8.8.8 (8.8.8.8) is neither loopback nor on a network of this container" in asked.stderr
