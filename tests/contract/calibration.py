"""The calibration server as a target of a whole lab: a checkout of its own, and one run for each trial."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from serverlab import analysis, host, store
from serverlab.catalog import load_catalog, make_plan
from serverlab.cli.context import CHECKOUT
from serverlab.compose import Database, Engine
from serverlab.errors import NotEnoughEvidence
from serverlab.images import ensure_images
from serverlab.model.definitions import Experiment, LoadOverrides
from serverlab.model.records import ImageFacts, LoadResult, Trial
from serverlab.model.tables import DoubtKind, Row, Table
from serverlab.runner import Lab, ceiling, provenance, start_run
from serverlab.shell import HostShell

SERVER = "calibration"
DEFINITION = CHECKOUT / "tests/calibration/deploy/calibration"
BURNING = Path(__file__).with_name("burning_locustfile.py")
COPIED = ("app", "compose", "deploy", "loadtests", "requirements")
TIMEOUT_S = 4.0
NO_CEILING = {ceiling.IMAGE: "left out: test_ceiling.py measures one"}
"""Of the images that are not built: without it no run measures what the generator can ask, which takes 4 s."""

ABOUT_THE_TARGET = frozenset(
    {
        DoubtKind.NEW_CONNECTIONS,
        DoubtKind.THRESHOLD,
        DoubtKind.PLATEAU_40MS,
        DoubtKind.SLOTS,
        DoubtKind.IDLE_CPU,
        DoubtKind.LATE,
        DoubtKind.CHEAP_HASHER,
        DoubtKind.LISTEN_OVERFLOWS,
        DoubtKind.RETRANSMITS,
        DoubtKind.LITTLES_LAW,
        DoubtKind.MEAN_AS_P99,
        DoubtKind.EQUAL_PERCENTILES,
        DoubtKind.FAST_ERRORS,
        DoubtKind.UNEQUAL_WORKERS,
        DoubtKind.ACCESS_LOG,
        DoubtKind.QUEUED,
    }
)
"""The doubts that a planted artefact may raise; others are about the plan or about this machine, quiet or not."""


@dataclass(frozen=True)
class Measured:
    """One trial as it was read back from the disk, and what the table says of it."""

    trial: Trial
    table: Table
    folder: Path

    @property
    def load(self) -> LoadResult:
        """What the generator saw; only of a trial that put load."""
        assert self.trial.load is not None, self.trial.void_reasons
        return self.trial.load

    @property
    def row(self) -> Row:
        """The trial's row; only where it is valid."""
        assert self.trial.void_reasons == ()
        return self.table.sections[0].rows[0]

    @property
    def doubts(self) -> set[str]:
        """The kinds of the doubts about the target."""
        assert self.trial.void_reasons == ()
        return {each.kind.value for each in self.table.sections[0].doubts if each.kind in ABOUT_THE_TARGET}

    def samples(self, role: str) -> list[dict[str, Any]]:
        """What was sampled of a role within the window, as it is kept beside the trial."""
        (path,) = (self.folder / "raw").glob("*samples.jsonl")
        samples = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        window = self.load
        return [
            each
            for each in samples
            if each["role"] == role and window.window_start <= each["t"] <= window.window_end
        ]


def make_checkout(root: Path) -> Path:
    """A checkout below ``root`` that has the calibration server beside those of the project."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        shutil.copytree(CHECKOUT / name, root / name, ignore=ignored)
    shutil.copytree(DEFINITION, root / "deploy" / SERVER, ignore=ignored)
    shutil.copy2(CHECKOUT / ".dockerignore", root)
    return root


def throttled(root: Path, into: Path, *, cpus: float) -> Path:
    """A copy of the checkout's stacks in which the generator has a CPU quota."""
    limit = "pids_limit: 256"
    return _changed(root, into, "load.yml", {limit: f"{limit}\n    cpus: {cpus}"})


def burdened(root: Path, into: Path) -> Path:
    """A copy of the checkout's stacks in which the generator computes for 15 ms before each ping."""
    limit, mounted = "pids_limit: 256", "/loadtests/burning/locustfile.py"
    changes = {
        limit: f"{limit}\n    volumes: ['{BURNING}:{mounted}:ro']",
        "${LOCUST_LOCUSTFILE:-/loadtests/ping/locustfile.py}": mounted,
    }
    return _changed(root, into, "load.yml", changes)


def restarting(root: Path, into: Path) -> Path:
    """A copy of the checkout's stacks in which the engine starts an app's container again that has failed."""
    limit = "pids_limit: 512"
    return _changed(root, into, "stack.yml", {limit: f"{limit}\n    restart: on-failure"})


def cramped(root: Path, into: Path) -> Path:
    """A copy of the checkout's stacks in which the app has a quarter of its memory."""
    return _changed(root, into, "stack.yml", {"${LAB_MEMORY:-1g}": "256m"})


def _changed(root: Path, into: Path, name: str, changes: Mapping[str, str]) -> Path:
    """A copy of the checkout's stacks, with other words in one of them."""
    shutil.copytree(root / "compose", into / "compose")
    file = into / "compose" / name
    text = file.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return into


class Calibration:
    """A lab with the calibration server among its targets; a trial that was made is not made again."""

    def __init__(
        self,
        engine: Engine,
        root: Path,
        say: Callable[[str], None] = print,
        *,
        unbuilt: Mapping[str, str] = NO_CEILING,
    ) -> None:
        """Work in the checkout ``root``, and build the server's image where it is stale."""
        self.engine = engine
        self.unbuilt = unbuilt
        self.root = root
        self.catalog = load_catalog(root)
        assert self.catalog.mistakes == ()
        self.say = say
        self.images: dict[str, ImageFacts] = ensure_images(HostShell(), root, say, names=[SERVER, "load"])
        self._made: dict[object, Measured] = {}

    def measure(
        self, variant: str, *, workload: str = "ping", timeout_s: float = TIMEOUT_S, **load: Any
    ) -> Measured:
        """Make one run of one trial, as `serverlab run` does, and read it from the disk.

        ``load`` is what the experiment changes in the workload, ``timeout_s`` how long its users wait for an answer.
        A trial is made once, whatever comes of it.
        """
        key = (variant, workload, timeout_s, *sorted(load.items(), key=str))
        if key not in self._made:
            self._made[key] = self._measure(
                variant, workload, self.root, LoadOverrides(**load), timeout_s=timeout_s
            )
        return self._made[key]

    def measure_void(self, variant: str, *, root: Path | None = None, **load: Any) -> Trial:
        """One trial of which it is wanted that it be VOID, made once; ``root`` has other stacks than the checkout."""
        return self._measure(variant, "ping", root or self.root, LoadOverrides(**load)).trial

    def _measure(
        self, variant: str, workload: str, root: Path, load: LoadOverrides, *, timeout_s: float = TIMEOUT_S
    ) -> Measured:
        experiment = Experiment(
            format=1,
            title="Calibration",
            question="Is what was planted reported?",
            targets=(f"{SERVER}:{variant}",),
            workloads=(workload,),
            rounds=1,
            control=False,
            load=load,
        )
        name = f"calibration-{variant}"
        plan = make_plan(self.catalog, experiment, name=name, experiment_hash="planted")
        patient = msgspec.structs.replace(plan.workloads[workload], timeout_s=timeout_s)
        plan = msgspec.structs.replace(plan, workloads={workload: patient})
        lab = Lab(
            root=root,
            shell=HostShell(),
            engine=self.engine,
            catalog=self.catalog,
            say=self.say,
            unbuilt=self.unbuilt,
        )
        describe = provenance.describer(lab, images=self.images, database=Database.SQLITE, plan=plan)
        try:
            folder = start_run(lab, plan, cores=host.cores_of(self.engine), describe=describe)
        except NotEnoughEvidence:  # its only trial is VOID, which is then what is wanted
            *_, folder = sorted((lab.results / name).iterdir())
        run = store.read_run(folder)
        assert run.problems == ()
        (trial,) = run.trials
        return Measured(trial=trial, table=analysis.tabulate(run), folder=folder)
