"""nginx is killed, reloaded, given a wrong configuration: what it does is seen before anything is said of it."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from serverlab.compose import Engine
from serverlab.errors import TrialFailed
from serverlab.faults import FAULTS, nginx
from serverlab.faults.fault import NotEffective, NotUndone, Scene
from serverlab.model.faults import Happening
from tests.fake_engine import ExecResult, FakeClient
from tests.fake_processes import INIT, FakeServer

CONFIGURATION = "worker_processes 1;\nproxy_next_upstream off;\n"


class FakeEdge(FakeServer):
    """An nginx with one worker; a reload brings another worker if the configuration is right."""

    def __init__(self, container):
        rows = [INIT, [7, 1, "S", 20, "nginx: master process"], [8, 7, "S", 30, "nginx: worker process"]]
        super().__init__(container, rows=rows)
        self.text = CONFIGURATION
        self.before = ""
        self.logged = []
        self.does = {"SIGHUP 7": self.reload, "SIGKILL 8": lambda: self.replace(8, 9)}
        container.logs = lambda **_: "\n".join(self.logged).encode()

    def reload(self):
        if "proce55es" in self.text:
            self.logged.append("[emerg] unknown directive")
        else:
            worker = self.rows[-1][0]
            self.replace(worker, worker + 1)

    def _exec(self, argv, **options):
        script, arguments = argv[4], argv[5:]
        if script == nginx.RESTORE:
            self.text = self.before or self.text
            return ExecResult(0, b"")
        if script == nginx.REWRITE:
            changed = self.text
            for old, new in json.loads(arguments[1]).items():
                if old not in changed:
                    return ExecResult(1, f"{old!r} is not in {arguments[0]}".encode())
                changed = changed.replace(old, new)
            self.before, self.text = self.text, changed
            return ExecResult(0, b"")
        return super()._exec(argv, **options)


@pytest.fixture(autouse=True)
def _nobody_waits_long(monkeypatch):
    monkeypatch.setattr(nginx, "RELOADED_WITHIN_S", 0.1)


@pytest.fixture
def edge():
    return FakeEdge(FakeClient().add("edge"))


@pytest.fixture
def measured():
    return {}


@pytest.fixture
def scene(edge, measured):
    return Scene(
        engine=Engine(edge.container.client),
        shell=None,
        root=None,
        expected=SimpleNamespace(settings=None),
        hold_s=0.1,
        note=lambda _: None,
        measure=measured.update,
    )


def test_a_worker_is_killed_and_replaced(scene, edge):
    with FAULTS["F-61"].inject(scene) as seen:
        assert seen == "worker 8 is gone"
    assert edge.signals == ["SIGKILL 8"]


def test_a_worker_that_nobody_replaces_is_told(scene, edge, monkeypatch):
    edge.respawns = False
    del edge.does["SIGKILL 8"]
    monkeypatch.setattr("serverlab.faults.edge.REPLACED_WITHIN_S", 0.1)
    notes, marks = [], []
    with FAULTS["F-61"].inject(replace(scene, note=notes.append, mark=marks.append)):
        assert marks == [Happening.ACTED, Happening.LIFTED]
    assert notes == ["the fault is undone, but not this: nginx has all its workers: not seen within 0.1 s"]


def test_a_reload_brings_other_workers_each_time(scene, edge):
    with FAULTS["F-61b"].inject(scene) as seen:
        assert seen == "worker 8 went, 9 came; worker 9 went, 10 came; worker 10 went, 11 came"
    assert edge.signals == ["SIGHUP 7"] * 3


def test_a_reload_that_changes_nothing_is_no_fault(scene, edge):
    edge.does["SIGHUP 7"] = lambda: None
    with pytest.raises(NotEffective, match="nginx has other workers"), FAULTS["F-61b"].inject(scene):
        pass


def test_a_worker_on_its_way_out_takes_no_connections(edge):
    edge.rows.append([9, 7, "S", 40, "nginx: worker process is shutting down"])
    assert [each.pid for each in nginx.workers(edge.container)] == [8]


def test_a_wrong_configuration_is_refused_and_put_right(scene, edge, measured):
    with FAULTS["F-61c"].inject(scene) as seen:
        assert seen == "[emerg] in its log; 1 of 1 workers kept"
        assert edge.text.startswith("worker_proce55es")
    assert edge.text == CONFIGURATION
    assert measured == {"workers_kept": 1, "workers_gone": 0}
    assert [each.pid for each in nginx.workers(edge.container)] == [9]


def test_workers_that_stay_when_the_configuration_is_put_right_are_no_undo(scene, edge):
    def stays():
        with FAULTS["F-61c"].inject(scene):
            edge.does["SIGHUP 7"] = lambda: None

    with pytest.raises(NotUndone, match="nginx has other workers: not seen within "):
        stays()
    assert edge.signals == ["SIGHUP 7"] * 2


@pytest.fixture
def moved(scene, edge):
    """An app whose address stays, so that nothing comes of moving it; the placeholders are counted."""
    client = edge.container.client
    app = client.add("app")
    app.stop = lambda timeout: None
    app.start = lambda: None
    client.containers.run = lambda _image, **_options: client.add("placeholder")
    return replace(scene, expected=SimpleNamespace(settings=SimpleNamespace(label="run")))


PLACEHOLDERS = [f"serverlab-placeholder-{number}" for number in (1, 2, 3)]


def test_placeholders_are_removed_where_the_edge_keeps_its_workers(moved, edge):
    edge.does["SIGHUP 7"] = lambda: None
    with pytest.raises(NotUndone, match="nginx has other workers"), FAULTS["F-62"].inject(moved):
        pass
    assert sorted(edge.container.client.removed) == PLACEHOLDERS


def test_placeholders_are_removed_where_not_all_of_them_can_be_had(moved, edge):
    client = edge.container.client
    plain, refusals = client.containers.run, iter([False, False, True])

    def run(image, **options):
        if next(refusals):
            raise OSError("no address is left")
        return plain(image, **options)

    client.containers.run = run
    edge.does["SIGHUP 7"] = lambda: None
    with pytest.raises(NotUndone), FAULTS["F-62"].inject(moved):
        pass
    assert sorted(client.removed) == PLACEHOLDERS[:2]


def test_the_configuration_is_put_back_whatever_ends_the_block(edge):
    seen = []

    def interrupted():
        with nginx.rewritten(edge.container, {" off;": " error;"}):
            seen.append(edge.text)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert seen == [CONFIGURATION.replace(" off;", " error;")]
    assert edge.text == CONFIGURATION


def test_a_text_that_is_not_there_cannot_be_replaced(edge):
    refused = pytest.raises(TrialFailed, match="'gone' is not in")
    with refused, nginx.rewritten(edge.container, {"gone": ""}):
        pass
    assert edge.text == CONFIGURATION
