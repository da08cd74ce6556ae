"""Processes are killed, frozen, reloaded and stopped, and the effect is seen before anything is said of it."""

from __future__ import annotations

import pytest

from serverlab.errors import TrialFailed
from serverlab.faults import FAULTS, fault, process, processes
from serverlab.faults.fault import NotEffective, NotUndone
from serverlab.model.faults import Happening
from tests.fake_app import FakeApp, serving
from tests.fake_processes import INIT
from tests.fake_scene import FakeStack


@pytest.fixture
def stack():
    app = FakeApp()
    with serving(app):
        yield FakeStack(app)


@pytest.fixture
def server(stack):
    return stack.server


@pytest.fixture
def scene(stack):
    return stack.scene(FAULTS["F-01"])


@pytest.fixture(autouse=True)
def _nobody_waits_long(monkeypatch):
    monkeypatch.setattr(process, "RELOADED_WITHIN_S", 0.1)
    monkeypatch.setattr(process, "PAUSE_S", 0.01)
    monkeypatch.setattr(fault, "CONFIRM_S", 0.1)
    monkeypatch.setattr(processes, "NOTICED_WITHIN_S", 0.1)
    monkeypatch.setattr(processes, "NOTICE_PAUSE_S", 0.01)


def tried(name, scene):
    with FAULTS[name].inject(scene) as seen:
        return seen


def test_the_worker_that_answers_is_killed_and_is_seen_to_be_gone(scene, server):
    with FAULTS["F-01"].inject(scene) as seen:
        assert seen == "process 8 is gone"
    assert server.signals == ["SIGKILL 8"]


@pytest.mark.parametrize("name", ["F-01", "F-03"])
def test_what_ends_by_itself_is_lifted_at_its_act(stack, scene, name):
    with FAULTS[name].inject(scene):
        assert stack.marks == [Happening.ACTED, Happening.LIFTED]


def test_a_process_that_is_frozen_is_lifted_when_it_goes_on(stack, scene):
    with FAULTS["F-35"].inject(scene):
        assert stack.marks == [Happening.ACTED]
    assert stack.marks == [Happening.ACTED, Happening.LIFTED]


def test_with_the_master_the_container_ends(stack, scene, server):
    with FAULTS["F-03"].inject(scene) as seen:
        assert seen == "process 7 is gone, and its container ended with 137"
    assert stack.measured == {"processes_before": 2, "survivors": 0}


def test_the_engine_may_notice_late_that_the_container_has_ended(scene, server):
    server.noticed_after = 3
    with FAULTS["F-03"].inject(scene) as seen:
        assert seen == "process 7 is gone, and its container ended with 137"


def test_a_container_that_was_started_again_meanwhile_had_ended(scene, server):
    def started_again():
        server.container.started_at = "later"
        server.rows = [INIT, [7, 1, "S", 920, "master"], [8, 7, "S", 930, "worker"]]
        server.breaks = True

    server.does["SIGKILL 7"] = started_again
    with FAULTS["F-03"].inject(scene) as seen:
        assert seen == "process 7 is gone"


def test_a_signal_that_cannot_be_sent_to_a_container_that_goes_on_is_told(scene, server):
    def breaks():
        server.breaks = True

    server.does["SIGKILL 7"] = breaks
    with pytest.raises(TrialFailed, match="a script ended with 137"):
        tried("F-03", scene)


def test_a_process_with_the_same_id_is_another_one(scene, server):
    server.does["SIGKILL 8"] = lambda: server.replace(8, 8)
    with FAULTS["F-01"].inject(scene) as seen:
        assert seen == "process 8 is gone"


def test_a_process_that_survives_makes_the_fault_void(scene, server):
    server.does["SIGKILL 8"] = lambda: None
    with pytest.raises(NotEffective, match="SIGKILL to process 8: not seen"), FAULTS["F-01"].inject(scene):
        pass


def test_where_nobody_says_who_answers_nobody_is_killed(stack, scene, server):
    stack.app.identity.update(pid=99)
    with pytest.raises(TrialFailed, match=r"process 99 of .* answered, which no app container has"):
        tried("F-01", scene)
    assert server.signals == []


def test_a_worker_is_frozen_and_thawed(scene, server):
    with FAULTS["F-35"].inject(scene) as seen:
        assert seen == "process 8 is in state T"
        assert FAULTS["F-35"].left_behind(scene) == "process 8 is still frozen"
    assert server.row(8)[2] == "S"
    assert FAULTS["F-35"].left_behind(scene) is None


def test_a_worker_that_stays_frozen_is_not_undone(scene, server):
    server.does["SIGCONT 8"] = lambda: None
    with pytest.raises(NotUndone, match="process 8 thawed: not seen"), FAULTS["F-35"].inject(scene):
        pass


def test_a_frozen_worker_that_its_master_replaced_is_undone(scene, server):
    with FAULTS["F-35"].inject(scene):
        server.replace(8, 9)
    assert "SIGCONT 8" not in server.signals


@pytest.mark.parametrize("broken", [KeyboardInterrupt, TrialFailed])
def test_whatever_ends_the_block_the_worker_is_thawed(scene, server, broken):
    with pytest.raises(broken), FAULTS["F-35"].inject(scene):
        raise broken("now")
    assert server.row(8)[2] == "S"


def test_a_reload_is_over_when_others_have_come(scene, server):
    server.does["SIGHUP"] = lambda: server.replace(8, 9)
    with FAULTS["F-11"].inject(scene) as seen:
        assert seen == "SIGHUP: 1 processes came, 1 went"


def test_a_reload_is_not_over_while_an_old_worker_is_there(scene, server, monkeypatch):
    monkeypatch.setattr(process, "RELOADED_WITHIN_S", 0.1)
    server.rows.append([9, 7, "S", 31, "worker"])
    server.does["SIGHUP"] = lambda: server.replace(8, 10)
    with FAULTS["F-11"].inject(scene) as seen:
        assert seen == "SIGHUP: 1 of 2 old processes are still there after 0.1 s"


def test_a_server_that_a_reload_ends_is_told(scene, server):
    server.does["SIGHUP"] = lambda: server.end(129)
    with FAULTS["F-11"].inject(scene) as seen:
        assert seen == "SIGHUP: the container ended with 129"


def test_a_reload_that_replaces_nobody_is_void(scene, server):
    server.does["SIGHUP"] = lambda: None
    with (
        pytest.raises(NotEffective, match="SIGHUP: workers replaced: not seen"),
        FAULTS["F-11"].inject(scene),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "target", "reason"),
    [
        ("F-11", "runserver:threaded", "lacks the capability reload"),
        ("F-05b", "gunicorn:gthread", "it is a server for wsgi, where no view runs in an event loop"),
        ("F-05b", "gunicorn:gevent", "it is a server for wsgi, where no view runs in an event loop"),
        ("F-05b", "gunicorn:asgi", None),
        ("F-05b", "daphne:production", None),
        ("F-01", "runserver:threaded", None),
        ("F-11", "gunicorn:gthread+nginx", None),
        ("F-12", "gunicorn:gthread", "there is no edge in front of it"),
        ("F-31", "gunicorn:gthread+nginx", "the edge holds the connections, and not the server"),
    ],
)
def test_a_fault_says_where_it_has_no_meaning(stack, name, target, reason):
    assert FAULTS[name].applicable(stack.scene(FAULTS[name], target).expected) == reason


def test_a_crash_that_ends_nobody_is_void(stack, scene):
    stack.app.statuses["/lab/exit?code=1"] = 502
    with pytest.raises(NotEffective, match=r"that /lab/exit\?code=1 ends \(.* answered with 502\)"):
        tried("F-02", scene)


def test_a_crash_is_seen_by_the_process_that_is_gone(stack, scene, server):
    def answer(method, path, token, plain=stack.app.answer):
        if path.startswith("/lab/exit"):
            server.replace(8, 9)
        return plain(method, path, token)

    stack.app.answer = answer
    assert tried("F-02", scene) == "process 8 is gone"


def test_with_a_restart_policy_the_stack_has_one(stack):
    settings = stack.scene(FAULTS["F-03r"]).settings
    assert settings.files() == ["stack.yml", "direct.yml", "restart.yml"]
    assert settings.app == {"LAB_FAULTS": "on"}
