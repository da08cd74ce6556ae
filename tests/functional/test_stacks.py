"""`up`, `down`, `ps`, `logs`, `clean` and `locust`."""

import json
import os
import re

import pytest

from serverlab import load, ports
from serverlab.lock import only_lab
from tests.fake_app import FakeApp, serving
from tests.fake_lab import COMPOSE, interrupt
from tests.fakes import Answer


def test_a_stack_is_started_proved_and_its_address_is_the_only_result(cli, fake):
    up = cli("up", "gunicorn")
    assert up.out == f"http: http://127.0.0.1:{fake.app.port}\n"
    assert up.code == 0
    lines = up.err.splitlines()
    assert lines[0] == "starting gunicorn:gthread"
    assert lines[1].startswith("ready after ")
    assert lines[2] == "proved by 30 checks: gunicorn:gthread, version 27.0.1"
    assert [each.name for each in fake.client.containers.things] == ["serverlab-app-1"]


def test_behind_an_edge_there_is_a_second_address(cli, fake):
    up = cli("up", "gunicorn:sync+nginx", "--replicas", "2")
    assert up.out == f"http: http://127.0.0.1:{fake.app.port}\nhttps: https://127.0.0.1:{fake.app.port}\n"
    assert "proved by " in up.err


def test_a_machine_reads_the_addresses(cli, fake):
    assert json.loads(cli("up", "gunicorn", "--json").out) == {
        "target": "gunicorn:gthread",
        "http": f"http://127.0.0.1:{fake.app.port}",
    }


def test_options_reach_the_compose_files(cli, fake):
    cli(
        "up",
        "gunicorn+nginx",
        "--cpus",
        "2",
        "--replicas",
        "3",
        "--db",
        "postgres",
        "--port",
        "8001",
        "--tls-port",
        "8444",
    )
    given = fake.shell.environments[0]
    assert {
        name: given[name] for name in ("LAB_CPUS", "LAB_REPLICAS", "LAB_PORT", "LAB_TLS_PORT", "LAB_RUN")
    } == {
        "LAB_CPUS": "2",
        "LAB_REPLICAS": "3",
        "LAB_PORT": "8001",
        "LAB_TLS_PORT": "8444",
        "LAB_RUN": "up",
    }
    assert "postgres.yml" in fake.shell.calls[0]


def test_a_stack_gets_the_overlays_that_are_asked_for(cli, fake):
    assert cli("up", "gunicorn+nginx", "--cache", "redis").code == 0
    assert cli("down").code == 0
    assert cli("up", "gunicorn+nginx", "--realtime").code == 0
    started = [call for call in fake.shell.calls if call.startswith(COMPOSE)]
    laid = [re.findall(r"compose/([a-z]+)\.yml", call) for call in started]
    assert laid == [["stack", "edge", "redis"], ["stack", "edge", "redis", "realtime"]]


@pytest.mark.parametrize(
    ("target", "said", "hint"),
    [
        ("gunicorn", "gunicorn:gthread: Daphne beside the server needs an edge", "gunicorn:gthread+nginx"),
        ("daphne", "daphne:production: Daphne beside the server needs an edge", "daphne:production+nginx"),
    ],
)
def test_daphne_is_put_only_where_the_edge_can_send_to_it(cli, fake, target, said, hint):
    up = cli("up", target, "--realtime")
    assert (up.code, said in up.err, hint in up.err) == (2, True, True)
    assert fake.client.containers.things == []


@pytest.mark.parametrize("target", ["gunicorn:sync", "gunicorn:sync+nginx"])
def test_daphne_is_not_put_beside_a_server_whose_requests_it_would_break(cli, fake, root, target):
    path = root / "deploy" / "gunicorn" / "server.toml"
    whole = path.read_text(encoding="utf-8")
    path.write_text(
        whole.replace("threads = 1\n", "threads = 1\nruns_coroutines = false\n"), encoding="utf-8"
    )
    up = cli("up", target, "--realtime")
    assert (up.code, up.out, fake.shell.calls) == (2, "", [])
    assert up.err == (
        f"serverlab: {target}: Daphne cannot be beside the server: a write tells Daphne of itself in a coroutine, and "
        "other requests would fail meanwhile (deploy/gunicorn/server.toml, variants.sync: runs_coroutines = false)\n"
        "Leave --realtime out, or take gunicorn:gthread.\n"
    )
    assert cli("up", target).code == 0


def test_a_stack_that_fails_its_proof_is_up_with_a_warning(cli, fake):
    fake.trouble["up 1"] = lambda: setattr(fake.app, "books", 3)
    up = cli("up", "gunicorn")
    assert "warning: proof failed: seeded books: 3 of 500, status 200\n" in up.err
    assert (up.code, fake.client.is_empty) == (0, False)


def test_a_second_stack_is_refused_and_the_first_one_stays(cli, fake):
    cli("up", "gunicorn")
    refused = cli("up", "uwsgi")
    assert refused.code == 3
    assert (
        refused.err
        == "serverlab: a stack is up; one stack at a time\n`make down` stops it, `make ps` shows it.\n"
    )
    assert [each.name for each in fake.client.containers.things] == ["serverlab-app-1"]


def test_a_taken_port_is_told_and_nothing_is_left_behind(cli, fake):
    fake.shell.script[COMPOSE] = Answer(
        does=lambda _argv: fake.client.add_network(),
        stderr="Bind for 127.0.0.1:8000 failed: port is already allocated",
        returncode=1,
    )
    failed = cli("up", "gunicorn")
    assert (failed.code, failed.out) == (3, "")
    assert failed.err.splitlines()[1:] == [
        "serverlab: gunicorn:gthread: a port is taken",
        "starting gunicorn:gthread: failed with exit code 1",
        "  | Bind for 127.0.0.1:8000 failed: port is already allocated",
        "End what listens there, or take any free ones: `serverlab up --port auto --tls-port auto`.",
    ]
    assert fake.client.is_empty


def test_a_stranger_on_the_port_is_named_before_anything_is_started(cli, context, fake):
    context.taken_by = ports.taken_by
    with serving(FakeApp()) as url:  # it answers 200, to /readyz as well
        port = url.rpartition(":")[2]
        refused = cli("up", "gunicorn", "--port", port)
    first, last = refused.err.splitlines()
    assert re.fullmatch(
        rf"serverlab: gunicorn:gthread: port {port} is taken by process {os.getpid()} \(.+\)", first
    )
    assert (
        last == "End what listens there, or take any free ones: `serverlab up --port auto --tls-port auto`."
    )
    assert (refused.code, refused.out, fake.shell.calls) == (3, "", [])


def test_auto_takes_any_free_port(cli, context, fake):
    context.taken_by = lambda port: f"somebody, {port}"
    assert cli("up", "gunicorn+nginx", "--port", "auto", "--tls-port", "auto").code == 0
    assert [fake.shell.environments[0][name] for name in ("LAB_PORT", "LAB_TLS_PORT")] == ["0", "0"]


def test_a_container_that_dies_at_start_is_told_with_its_last_lines_and_nothing_is_left_behind(cli, fake):
    def die(_argv):
        fake.client.add("app", run="up", status="exited", exit_code=2, logged=["launch: no such variant"])

    fake.shell.script[COMPOSE] = Answer(stderr="dependency failed to start", returncode=1, does=die)
    failed = cli("up", "gunicorn")
    assert failed.out == ""
    assert failed.err.splitlines()[1:] == [
        "serverlab: gunicorn:gthread did not start",
        "serverlab-app-1 ended with 2:",
        "  | launch: no such variant",
        "See its last lines for why.",
    ]
    assert fake.client.is_empty


def test_ctrl_c_while_a_stack_starts_leaves_nothing_behind(cli, fake):
    fake.trouble["up 1"] = interrupt
    stopped = cli("up", "gunicorn")
    assert (stopped.code, stopped.out) == (4, "")
    assert fake.client.is_empty


def test_nothing_is_up(cli):
    assert cli("ps").out == "nothing is up\n"
    assert json.loads(cli("ps", "--json").out) == []
    assert cli("down").err == "nothing was up\n"


def test_the_containers_of_a_stack_are_shown(cli, fake):
    fake.client.add("app", run="up", ports={8000: 8000})
    fake.client.add("edge", run="up", image="serverlab/nginx:dev", health="starting")
    shown = [line.split() for line in cli("ps").out.splitlines()]
    assert shown == [
        [
            "app",
            "serverlab-app-1",
            "serverlab/gunicorn:dev",
            "running",
            "healthy",
            "up",
            "127.0.0.1:8000->8000/tcp",
        ],
        ["edge", "serverlab-edge-1", "serverlab/nginx:dev", "running", "starting", "up"],
    ]
    assert json.loads(cli("ps", "--json").out)[0]["ports"] == "127.0.0.1:8000->8000/tcp"


def test_down_removes_all_of_the_stack_and_names_it(cli, fake):
    cli("up", "gunicorn")
    down = cli("down")
    assert (down.code, down.out) == (0, "")
    assert down.err == "removed serverlab-app-1, serverlab_lab, serverlab_data\n"
    assert fake.client.is_empty


def test_clean_removes_only_what_is_ours(cli, fake):
    fake.client.add("app", run="quick-1")
    fake.client.add_volume("somebody_elses", labels={})
    assert cli("clean").err == "removed serverlab-app-1\n"
    assert [each.name for each in fake.client.volumes.things] == ["somebody_elses"]


@pytest.mark.parametrize("verb", ["down", "clean"])
def test_a_run_is_not_cleaned_away_under_another_lab(cli, context, fake, verb):
    fake.client.add("app", run="quick-1")
    with only_lab(context.lock):
        refused = cli(verb)
    assert (refused.code, fake.client.removed) == (3, [])


def test_logs_are_results_with_the_names_of_their_containers(cli, fake):
    fake.client.add("app", logged=["one", "two", "three"])
    fake.client.add("app", logged=["four"])
    assert cli("logs", "--tail", "2").out == (
        "serverlab-app-1 | two\nserverlab-app-1 | three\nserverlab-app-2 | four\n"
    )


def test_logs_of_a_service_that_is_not_there_are_refused_with_those_that_are(cli, fake):
    refused = cli("logs", "db")
    assert refused.err == "serverlab: no container of service 'db'\nAlive: nothing\n"
    fake.client.add("app")
    fake.client.add("edge")
    assert cli("logs", "db").err == "serverlab: no container of service 'db'\nAlive: app, edge\n"
    assert cli("logs", "db").code == 2


def test_a_locust_that_ends_by_itself_is_told_and_leaves_no_stack(cli, fake, monkeypatch):
    monkeypatch.setattr(load, "await_page", lambda *_: None)
    ended = cli("locust", "gunicorn")
    assert (ended.code, ended.out) == (3, "locust: http://127.0.0.1:8089\n")
    assert "Locust ended with exit code 0" in ended.err
    assert fake.client.is_empty
