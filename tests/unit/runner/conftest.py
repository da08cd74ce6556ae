"""A lab without containers, and trials made in it."""

import pytest

from serverlab.model.records import CoreSplit
from serverlab.runner.trial import Bench, run_trial, settings_of
from tests.checkout import make_checkout
from tests.fake_app import FakeApp, serving
from tests.fake_lab import FakeLab
from tests.unit.builders import GTHREAD, a_workload, an_environment, planned


@pytest.fixture
def kind():
    """What the lab is."""
    return FakeLab


@pytest.fixture
def fake(tmp_path, kind):
    app = FakeApp()
    with serving(app):
        yield kind(make_checkout(tmp_path), app)


@pytest.fixture
def trial(make):
    """Makes a trial and returns it with its raw files."""

    def trial(*arguments, **keywords):
        made = make(*arguments, **keywords)
        return made.trial, made.raw

    return trial


@pytest.fixture
def make(fake):
    """Makes a trial and returns it with all that is kept beside it."""

    def make(target=GTHREAD, *, cpus=1, packages=None, lead_s=lambda: 5.0, unbuilt=(), **workload):
        lab = fake.lab
        steal = iter([1.0, 1.0])
        bench = Bench(
            root=lab.root,
            shell=lab.shell,
            engine=lab.engine,
            catalog=lab.catalog,
            steal_s=lambda: next(steal),
            lead_s=lead_s,
            unbuilt=dict(unbuilt),
        )
        cell = planned(target, cpus=cpus)
        split = CoreSplit(stack="0", generator="1", disjoint=True)
        environment = an_environment(core_splits={str(cpus): split})
        load = a_workload(**workload)
        settings = settings_of(lab.catalog, cell, load, environment=environment, label="quick-1")
        return run_trial(bench, cell, load, settings, image_bytes=300, packages=packages)

    return make
