"""What a stack is, how it is started, and how all of it is removed again."""

import signal
from threading import Barrier
from types import SimpleNamespace

import docker.errors
import pytest

from serverlab import compose
from serverlab.compose import BY_HAND, LABEL, Cache, Database, Engine, StackDied, StackSettings
from serverlab.errors import CommandFailed, EnvironmentLacks, LabError
from serverlab.model.definitions import Protocol, Target
from serverlab.model.records import CoreSplit
from serverlab.model.stacks import Proxied
from tests.fake_engine import FakeClient
from tests.fakes import Answer, FakeShell

COMPOSE = "docker compose --progress quiet"


def stack_settings(name="gunicorn:gthread", **changes):
    plain = {
        "target": Target.parse(name),
        "protocol": Protocol.HTTP,
        "cpus": 1,
        "replicas": 1,
        "split": CoreSplit(stack="0", generator="1", disjoint=True),
        "label": "quick-1",
    }
    return StackSettings(**plain | changes)


@pytest.fixture
def client():
    return FakeClient()


@pytest.fixture
def engine(client):
    return Engine(client)


@pytest.mark.parametrize(
    ("name", "database", "files"),
    [
        ("gunicorn:gthread", Database.SQLITE, ["stack.yml", "direct.yml"]),
        ("gunicorn:gthread+nginx", Database.SQLITE, ["stack.yml", "edge.yml"]),
        ("gunicorn:gthread", Database.POSTGRES, ["stack.yml", "direct.yml", "postgres.yml"]),
        ("gunicorn:gthread+nginx", Database.POSTGRES, ["stack.yml", "edge.yml", "postgres.yml"]),
    ],
)
def test_a_stack_is_made_of_one_file_and_its_overlays(name, database, files):
    assert stack_settings(name, database=database).files() == files


def test_daphne_beside_a_server_comes_with_redis():
    edge = ["stack.yml", "edge.yml"]
    assert stack_settings("gunicorn:gthread+nginx", cache=Cache.REDIS).files() == [*edge, "redis.yml"]
    beside = stack_settings("gunicorn:gthread+nginx", realtime=True)
    assert beside.files() == [*edge, "redis.yml", "realtime.yml"]


def test_replicas_may_have_a_database_each():
    alone = stack_settings("gunicorn:gthread+nginx", replicas=2, shared_data=False)
    assert alone.files() == ["stack.yml", "edge.yml", "unshared.yml"]


@pytest.mark.parametrize(
    ("proxied", "files", "url"),
    [
        (None, [], "http://edge:8080"),
        (Proxied.DATABASE, ["faultproxy.yml", "dbproxy.yml"], "http://edge:8080"),
        (Proxied.UPSTREAM, ["faultproxy.yml", "upstreamproxy.yml"], "http://edge:8080"),
        (Proxied.FRONT, ["faultproxy.yml"], "http://faultproxy:8080"),
    ],
)
def test_a_way_of_the_stack_may_lead_through_the_fault_proxy(proxied, files, url):
    settings = stack_settings("gunicorn:gthread+nginx", proxied=proxied)
    assert settings.files() == ["stack.yml", "edge.yml", *files]
    assert settings.inner_url == url


def test_without_an_edge_the_fault_proxy_leads_to_the_app():
    assert stack_settings(proxied=Proxied.FRONT).inner_url == "http://faultproxy:8000"


@pytest.mark.parametrize(
    ("database", "url"),
    [(Database.SQLITE, "sqlite:////data/db.sqlite3"), (Database.POSTGRES, "postgres://lab@db:5432/lab")],
)
def test_daphne_beside_a_server_reads_the_same_rows(database, url):
    settings = stack_settings(realtime=True, database=database, database_password="d")
    assert settings.variables()["LAB_DATABASE_URL"] == url
    assert "LAB_DATABASE_URL" not in stack_settings(database=database).variables()


def test_what_a_stack_changes_in_the_app_is_given_on():
    given = stack_settings(app={"LAB_ACCESS_LIFETIME_S": "3"}).variables()
    assert given["LAB_ACCESS_LIFETIME_S"] == "3"


def test_every_variable_of_the_compose_files_is_given():
    settings = stack_settings(
        "uwsgi:uwsgi+nginx",
        protocol=Protocol.UWSGI,
        cpus=2,
        replicas=3,
        port=8000,
        tls_port=8443,
        secret_key="s",
        jwt_key="j",
        database_password="d",
    )
    assert settings.variables() == {
        "LAB_MEMORY": "1g",
        "LAB_TIMEOUT": "30",
        "LAB_KEEPALIVE": "75",
        "LAB_ACCESS_LOG": "off",
        "LAB_CHEAP_HASHER": "on",
        "LAB_LOGIN_LIMITS": "off",
        "LAB_SERVER": "uwsgi",
        "LAB_VARIANT": "uwsgi",
        "LAB_CPUS": "2",
        "LAB_CPUSET": "0",
        "LAB_LOAD_CPUSET": "1",
        "LAB_REPLICAS": "3",
        "LAB_UPSTREAM": "uwsgi",
        "LAB_UPSTREAM_KEEPALIVE": "on",
        "LAB_PORT": "8000",
        "LAB_TLS_PORT": "8443",
        "LAB_RUN": "quick-1",
    }
    assert settings.secrets() == {
        "secret_key": "s",
        "jwt_key": "j",
        "jwt_keys": "",
        "database_password": "d",
    }


def test_of_a_key_set_compose_is_told_only_that_there_is_one():
    settings = stack_settings(app={"LAB_JWT_KEYS": '{"keys": ["secret"]}'})
    assert settings.variables()["LAB_JWT_KEYS"] == "on"
    assert settings.secrets()["jwt_keys"] == '{"keys": ["secret"]}'


def test_no_secret_of_a_stack_is_in_what_compose_is_told():
    settings = stack_settings(app={"LAB_JWT_KEYS": "a-key-set"}, realtime=True, database=Database.POSTGRES)
    told = "\n".join(settings.variables().values())
    assert [name for name, secret in settings.secrets().items() if secret in told] == []


def test_the_secrets_of_a_stack_are_there_from_its_start_until_all_of_it_is_removed(client, tmp_path):
    engine = Engine(client, secrets=tmp_path / "secrets")
    settings, seen = stack_settings(), {}

    def look(_argv):
        seen.update({each.name: each.read_text() for each in engine.secrets.iterdir()})

    shell = FakeShell({COMPOSE: Answer(does=look)})
    compose.up(shell, engine, tmp_path, settings)
    assert shell.environments == [settings.variables() | {"LAB_SECRETS": str(tmp_path / "secrets")}]
    assert seen == settings.secrets()
    client.add("app")
    engine.remove_all()
    assert not engine.secrets.exists()


def test_the_edge_is_told_to_keep_no_connections_to_a_server_that_closes_them():
    told = stack_settings("uwsgi:default+nginx", keeps_connections=False).variables()
    assert told["LAB_UPSTREAM_KEEPALIVE"] == "off"


def test_every_stack_has_keys_of_its_own():
    one, two = stack_settings(), stack_settings()
    secrets = {
        one.secret_key,
        one.jwt_key,
        one.database_password,
        two.secret_key,
        two.jwt_key,
        two.database_password,
    }
    assert len(secrets) == 6
    assert min(map(len, secrets)) >= 48


def test_the_generator_asks_the_edge_where_there_is_one():
    assert stack_settings().inner_url == "http://app:8000"
    assert stack_settings("gunicorn:gthread+nginx").inner_url == "http://edge:8080"


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("runserver:threaded", "http://app.localhost:8000"),
        ("gunicorn:gthread+nginx", "http://edge.localhost:8080"),
    ],
)
def test_with_debug_the_app_is_asked_by_a_name_of_this_machine_and_knows_no_other(target, url):
    settings = stack_settings(target, app={"LAB_DEBUG": "on"})
    assert settings.inner_url == url
    assert settings.variables()["LAB_ALLOWED_HOSTS"] == ".localhost,127.0.0.1"
    assert "LAB_ALLOWED_HOSTS" not in stack_settings(target).variables()


def test_a_stack_is_started_by_one_compose_command_with_all_of_its_files(engine, tmp_path):
    shell = FakeShell({COMPOSE: Answer()})
    settings = stack_settings("gunicorn:gthread+nginx", database=Database.POSTGRES)
    compose.up(shell, engine, tmp_path, settings)
    files = " ".join(
        f"--file {tmp_path}/compose/{name}" for name in ("stack.yml", "edge.yml", "postgres.yml")
    )
    assert shell.calls == [f"{COMPOSE} {files} up --detach --no-build --pull never"]
    assert shell.environments == [settings.variables()]


def test_a_generator_that_is_held_is_started_by_the_same_command(engine, tmp_path):
    shell = FakeShell({COMPOSE: Answer()})
    settings = stack_settings()
    compose.up(shell, engine, tmp_path, settings, held={"LOCUST_USERS": "4"})
    names = ("stack.yml", "direct.yml", "load.yml", "held.yml")
    files = " ".join(f"--file {tmp_path}/compose/{name}" for name in names)
    assert shell.calls == [f"{COMPOSE} {files} up --detach --no-build --pull never"]
    assert shell.environments == [settings.variables() | {"LOCUST_USERS": "4"}]


def test_the_generator_joins_the_stack_without_touching_it(tmp_path):
    shell = FakeShell({COMPOSE: Answer()})
    compose.start_load(shell, tmp_path, stack_settings(), {"LOCUST_USERS": "4"}, web=True)
    (call,) = shell.calls
    assert call.endswith("up --detach --no-build --pull never --no-deps --no-recreate load")
    assert [name for name in ("load.yml", "locust.yml") if f"/compose/{name}" in call] == [
        "load.yml",
        "locust.yml",
    ]
    assert shell.environments[0]["LOCUST_USERS"] == "4"
    assert shell.environments[0]["LAB_SERVER"] == "gunicorn"


def up_fails(engine, root, said):
    shell = FakeShell({COMPOSE: Answer(stderr=said, returncode=1)})
    with pytest.raises(LabError) as failed:
        compose.up(shell, engine, root, stack_settings())
    return failed.value


@pytest.mark.parametrize(
    "said",
    [
        "Bind for 127.0.0.1:8000 failed: port is already allocated",
        "listen tcp4 127.0.0.1:8000: bind: address already in use",
    ],
)
def test_a_taken_port_is_told_with_the_way_out(engine, tmp_path, said):
    error = up_fails(engine, tmp_path, said)
    assert isinstance(error, EnvironmentLacks)
    assert error.what.splitlines() == [
        "gunicorn:gthread: a port is taken",
        "starting gunicorn:gthread: failed with exit code 1",
        f"  | {said}",
    ]
    assert "--port auto" in error.hint


def test_a_missing_image_is_told_with_the_way_out(engine, tmp_path):
    error = up_fails(engine, tmp_path, "Error response from daemon: No such image: serverlab/gunicorn:dev")
    assert isinstance(error, EnvironmentLacks)
    assert error.what.startswith("gunicorn:gthread: an image is missing\n")
    assert error.hint == "Run `make images`."


def test_an_engine_that_does_not_see_the_secrets_is_told(tmp_path):
    said = 'invalid mount config for type "bind": bind source path does not exist: /kept/jwt_key'
    error = up_fails(Engine(FakeClient(), secrets=tmp_path / "kept"), tmp_path, said)
    assert isinstance(error, EnvironmentLacks)
    assert error.what.startswith(f"gunicorn:gthread: the engine does not see {tmp_path / 'kept'}, where ")
    assert error.hint == "Take an engine that runs on this machine."


def test_a_container_that_dies_at_start_brings_its_last_lines_along(engine, client, tmp_path):
    client.add("app", status="exited", exit_code=2, logged=["one", "two", "launch: no such variant"])
    client.add("edge", status="created")
    error = up_fails(engine, tmp_path, "dependency failed to start")
    assert isinstance(error, StackDied)
    assert error.what.splitlines() == [
        "gunicorn:gthread did not start",
        "serverlab-app-1 ended with 2:",
        "  | one",
        "  | two",
        "  | launch: no such variant",
    ]


def test_any_other_failure_of_compose_is_told_as_it_is(engine, tmp_path):
    error = up_fails(engine, tmp_path, "yaml: line 3")
    assert isinstance(error, CommandFailed)
    assert error.what == "starting gunicorn:gthread: failed with exit code 1\n  | yaml: line 3"


def test_only_the_last_lines_of_a_log_are_shown(client):
    noisy = client.add("app", status="exited", exit_code=1, logged=[f"line {number}" for number in range(30)])
    silent = client.add("edge", status="dead", exit_code=137)
    assert compose.tails([noisy, silent], lines=2) == (
        "\nserverlab-app-1 ended with 1:\n  | line 28\n  | line 29"
        "\nserverlab-edge-1 ended with 137:\n  | (it logged nothing)"
    )


def test_of_what_was_logged_so_far_a_line_without_its_end_is_none_yet(client):
    container = client.add("prober")
    for logged, lines in ((b"one\ntwo\nthr", ["one", "two"]), (b"on", []), (b"", [])):
        container.logs = lambda logged=logged, **_: logged
        assert compose.whole_lines(container) == lines


def followed(client, *chunks):
    return list(compose.follow(client.add("load", output=lambda: chunks)))


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"on", b"e\ntw", b"o", b"\n"], ["one", "two"]),
        ([b"one\n", b"\n", b"two\n"], ["one", "", "two"]),
        ([b"one\ntwo"], ["one", "two"]),
        ([b"gr\xc3", b"\xbcn\n"], ["grün"]),
        ([b"\xff\n"], ["\N{REPLACEMENT CHARACTER}"]),
        ([], []),
    ],
)
def test_lines_are_put_together_from_whatever_chunks_they_come_in(client, chunks, lines):
    assert followed(client, *chunks) == lines


def test_containers_of_others_are_not_ours(engine, client):
    client.add("app")
    client.containers.things[0].labels = {"com.docker.compose.service": "app"}
    assert engine.containers() == []
    assert engine.remove_all() == []


def test_a_service_is_found_by_its_name(engine, client):
    app, edge = client.add("app"), client.add("edge")
    assert (engine.containers("app"), engine.service("edge"), engine.containers()) == (
        [app],
        edge,
        [app, edge],
    )
    with pytest.raises(StackDied, match="the stack has no container 'db'"):
        engine.service("db")


def test_the_labels_tell_whose_containers_are_alive(engine, client):
    client.add("app", run=BY_HAND)
    client.add("edge", run="quick-1")
    assert engine.labels() == {BY_HAND, "quick-1"}


def test_a_volume_that_outlived_its_containers_is_something_left_behind(engine, client):
    volume = SimpleNamespace(name="data", attrs={"Labels": {LABEL: "quick-1"}})
    client.volumes.list = lambda filters: [volume] if filters == {"label": LABEL} else []
    assert engine.labels() == {"quick-1"}


def test_a_published_port_has_an_address(engine, client):
    client.add("edge", ports={8080: 32768, 8443: 32769})
    assert engine.url("edge", port=8080) == "http://127.0.0.1:32768"
    assert engine.url("edge", port=8443, scheme="https") == "https://127.0.0.1:32769"


def test_a_dead_container_publishes_nothing_and_is_told_with_its_last_lines(engine, client):
    client.add("app", status="exited", exit_code=1, logged=["boom"])
    with pytest.raises(StackDied) as died:
        engine.url("app", port=8000)
    assert died.value.what == "container app publishes no port 8000\nserverlab-app-1 ended with 1:\n  | boom"


def test_a_container_that_ended_well_is_not_dead(engine, client):
    client.add("migrate", status="exited", exit_code=0)
    killed = client.add("app", status="exited", exit_code=137)
    client.add("edge")
    assert engine.dead() == [killed]


def test_processes_of_all_replicas_are_listed(engine, client):
    client.add("app", processes=["gunicorn: master", "gunicorn: worker"])
    client.add("app", processes=["gunicorn: master"])
    client.add("edge", processes=["nginx"])
    assert list(engine.processes("app").values()) == [
        "/sbin/docker-init --",
        "gunicorn: master",
        "gunicorn: worker",
        "/sbin/docker-init --",
        "gunicorn: master",
    ]


def test_a_dead_replica_shows_no_processes_and_is_told_with_its_last_lines(engine, client):
    client.add("app", status="exited", exit_code=139, logged=["segmentation fault"])
    with pytest.raises(StackDied) as died:
        engine.processes("app")
    assert died.value.what == (
        "serverlab-app-1 shows no processes: container serverlab-app-1 is not running"
        "\nserverlab-app-1 ended with 139:\n  | segmentation fault"
    )


def test_everything_of_ours_is_removed_containers_first(engine, client):
    client.add_volume()
    client.add_network()
    client.add("app")
    client.add("app")
    assert engine.remove_all() == ["serverlab-app-1", "serverlab-app-2", "serverlab_lab", "serverlab_data"]
    assert client.is_empty
    assert engine.remove_all() == []


def test_containers_are_removed_at_once_and_what_they_hold_when_all_of_them_are_gone(engine, client):
    together, gone = Barrier(2, timeout=5.0), []
    for service in ("app", "load"):
        client.add(service).on_removal = together.wait
    client.add_network().on_removal = lambda: gone.append(client.containers.things == [])
    client.add_volume().on_removal = lambda: gone.append(client.containers.things == [])
    removed = engine.remove_all(deadline_s=0)
    assert removed == ["serverlab-app-1", "serverlab-load-1", "serverlab_lab", "serverlab_data"]
    assert gone == [True, True]


def test_what_the_engine_finishes_meanwhile_is_removed_too(engine, client):
    client.add("app")
    late = FakeClient()
    container, volume = late.add("edge"), late.add_volume()
    container.client = volume.client = client
    client.late = [(client.containers, container), (client.volumes, volume)]
    assert set(engine.remove_all()) == {"serverlab-app-1", "serverlab-edge-1", "serverlab_data"}
    assert client.is_empty


def test_what_somebody_else_removed_first_is_no_error(engine, client):
    network = client.add_network()
    network.refuses = [docker.errors.NotFound("no such network")]
    client.add("app")
    assert engine.remove_all() == ["serverlab-app-1", "serverlab_lab"]


def test_what_is_still_in_use_is_tried_again(engine, client):
    busy = docker.errors.APIError("409 Client Error", explanation="volume is in use")
    client.add_volume(refuses=[busy, busy])
    assert engine.remove_all() == ["serverlab_data"]


def test_what_cannot_be_removed_in_time_is_told_with_the_engines_reason(engine, client):
    busy = docker.errors.APIError("409 Client Error", explanation="volume is in use")
    client.add_volume(refuses=[busy] * 9)
    client.add_network()
    with pytest.raises(LabError, match="left behind: serverlab_data: volume is in use"):
        engine.remove_all(deadline_s=0)
    assert client.removed == ["serverlab_lab"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_no_signal_cuts_the_removal_short(engine, client, number):
    class Impatient(FakeClient):
        def forget(self, thing):
            signal.raise_signal(number)
            super().forget(thing)

    client = Impatient()
    client.add("app")
    client.add("edge")
    before = signal.getsignal(number)
    assert Engine(client).remove_all() == ["serverlab-app-1", "serverlab-edge-1"]
    assert signal.getsignal(number) is before


def test_without_an_engine_the_way_to_one_is_told():
    shell = FakeShell({"docker context inspect": Answer(stdout="tcp://127.0.0.1:1\n")})
    with pytest.raises(EnvironmentLacks) as lacking:
        compose.connect(shell)
    assert lacking.value.what.startswith("the container engine does not answer: ")
    assert lacking.value.hint == (
        "Run `make engine`, or start Docker; `serverlab doctor` tells what is wrong. "
        "Without one `compare`, `report`, `list` and `check` work."
    )


def test_a_user_who_may_not_use_the_engine_is_told_so():
    lacking = compose._unreachable("('Connection aborted.', PermissionError(13, 'Permission denied'))")
    assert lacking.what == "there is a container engine, but this user may not use it"


def test_a_log_cannot_steer_the_terminal_that_shows_it(client):
    container = client.add("app", logged=["\x1b[2J\x1b]0;mine\x07<script>", "\tplain"])
    assert compose.log_lines(container, lines=2) == ["]0;mine<script>", "\tplain"]
