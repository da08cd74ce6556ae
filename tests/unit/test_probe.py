"""A stack is proven by what it answers over HTTP; here a tiny web server answers in its place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serverlab import probe
from serverlab.catalog import load_catalog
from serverlab.compose import Database, Engine, StackDied
from serverlab.model.definitions import Target
from serverlab.model.records import Check
from serverlab.runner.trial import expectation
from tests.checkout import GUNICORN, GUNICORN_ASGI, make_checkout, write
from tests.fake_app import KEY, FakeApp, identity_of, serving
from tests.fake_engine import FakeClient
from tests.unit.test_compose import stack_settings
from tests.unit.test_tokens import jwk_set, key_pair

ONE_CORE = ["gunicorn: master", "gunicorn: worker"]


@pytest.fixture
def app():
    app = FakeApp(identity=identity_of())
    with serving(app):
        yield app


@pytest.fixture
def client(app):
    """An engine with one container, whose port is the web server's."""
    client = FakeClient()
    client.add("app", processes=ONE_CORE, ports={8000: app.port}, started_at="2026-11-22T10:15:00.25Z")
    return client


@pytest.fixture
def engine(client):
    return Engine(client)


@pytest.fixture
def catalog(tmp_path):
    return load_catalog(make_checkout(tmp_path))


@pytest.fixture
def expected(catalog):
    return expectation(catalog, stack_settings(jwt_key=KEY))


def failures(engine, expected):
    return probe.failed_checks(probe.prove(engine, expected))


def test_a_stack_that_was_asked_for_workers_has_to_have_these_and_not_the_formulas(engine, catalog):
    expected = expectation(catalog, stack_settings(jwt_key=KEY, workers=3, replicas=2))
    assert (expected.workers_each, expected.workers) == (3, 6)
    asked = expectation(catalog, stack_settings(jwt_key=KEY, workers=3))
    failed = probe.prove(engine, asked).checks
    assert [check.name for check in failed] == ["identity: workers", "worker processes"]
    plain = expectation(catalog, stack_settings(jwt_key=KEY))
    assert plain.workers == plain.variant.workers.for_cpus(1)


def test_a_stack_that_is_what_it_should_be_passes_every_check(engine, expected):
    proof = probe.prove(engine, expected)
    assert probe.failed_checks(proof) == []
    assert proof.ok
    assert proof.checks == ()
    assert proof.asked == len(proof.passed)
    assert list(proof.passed) == [
        "identity: interface",
        "identity: variant",
        "identity: cpus",
        "identity: workers",
        "identity: multithread",
        "identity: debug",
        "identity: autoreload",
        "identity: database",
        "identity: cache",
        "identity: realtime",
        "identity: session_store",
        "identity: jwt_verify",
        "identity: jwt_algorithm",
        "identity: plain_tokens",
        "identity: password_hasher",
        "identity: login_limits",
        "identity: static_files",
        "replicas that answered",
        "Server header",
        "worker processes",
        "/healthz",
        "WebSocket without a ticket",
        "token for the right password",
        "profile of the token's user",
        "seeded books",
        "control token",
        "refused: no token",
        "refused: token signed with another key",
        "refused: expired token",
        "refused: token with alg none",
    ]


def test_the_proof_keeps_what_the_stack_says_of_itself(engine, expected):
    proof = probe.prove(engine, expected)
    assert (proof.server_version, proof.workers) == ("27.0.1", 1)
    assert (proof.identity["django"], proof.identity["debug"]) == ("5.2.19", "False")


def test_a_check_that_passed_is_kept_with_what_was_seen_and_one_that_failed_with_all_there_is_to_say(
    app, engine, expected
):
    app.statuses = {"/healthz": 500}
    proof = probe.prove(engine, expected)
    assert proof.checks == (Check(name="/healthz", ok=False, detail="status 500, expected 200"),)
    assert proof.asked == 30
    assert not proof.ok
    assert {name: seen for name, seen in proof.passed.items() if not name.startswith("identity: ")} == {
        "replicas that answered": "1",
        "Server header": "gunicorn",
        "worker processes": "1",
        "WebSocket without a ticket": "404",
        "token for the right password": "200",
        "profile of the token's user": "user01",
        "seeded books": "500",
        "control token": "200",
        "refused: no token": "401",
        "refused: token signed with another key": "401",
        "refused: expired token": "401",
        "refused: token with alg none": "401",
    }
    assert proof.passed["identity: interface"] == "wsgi"


def test_the_packages_are_told_beside_the_proof_which_keeps_their_digest(app, engine, expected):
    app.identity = identity_of(distributions={"mod_wsgi": "5.0.2", "Django": "5.2.19"})
    proof, packages = probe.examine(engine, expected)
    assert packages == {"mod-wsgi": "5.0.2", "django": "5.2.19"}
    assert "distributions" not in proof.identity
    assert proof.identity["packages"] == probe.digest_of({"django": "5.2.19", "mod-wsgi": "5.0.2"})


def test_every_list_of_packages_has_a_digest_of_its_own():
    lists = [{"a": "1"}, {"a": "2"}, {"b": "1"}, {"a": "1", "b": "1"}]
    assert len({probe.digest_of(packages) for packages in lists}) == len(lists)


def test_a_stack_that_does_not_state_its_packages_has_no_digest(app, engine, expected):
    app.identity = identity_of(distributions={})
    proof, packages = probe.examine(engine, expected)
    assert (packages, proof.server_version, proof.ok) == ({}, None, True)
    assert "packages" not in proof.identity


@pytest.mark.parametrize(
    ("server", "distribution", "version"),
    [("uwsgi", "uwsgi", "2.0.31"), ("runserver", "django", "5.2.19"), ("daphne", "other", None)],
)
def test_the_servers_version_is_found_however_its_name_is_spelt(version_of, server, distribution, version):
    assert version_of(server, {distribution: version or "1.0"}) == version


@pytest.fixture
def version_of(app, engine, expected, catalog):
    def version_of(server, distributions):
        app.identity = identity_of(distributions=distributions)
        return probe.prove(engine, replace(expected, server=catalog.servers[server])).server_version

    return version_of


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ({"interface": "asgi"}, "identity: interface: asgi, expected wsgi"),
        ({"variant": "sync"}, "identity: variant: sync, expected gthread"),
        ({"multithread": False}, "identity: multithread: False, expected True"),
        ({"debug": True}, "identity: debug: True, expected False"),
        ({"autoreload": True}, "identity: autoreload: True, expected False"),
        ({"workers": 4}, "identity: workers: 4, expected 1"),
        ({"cpus": 2}, "identity: cpus: 2, expected 1"),
        ({"database": "postgresql"}, "identity: database: postgresql, expected sqlite"),
    ],
)
def test_a_stack_that_is_something_else_is_found_out(app, engine, expected, said, failure):
    app.identity = identity_of(**said)
    assert failures(engine, expected) == [failure]


def test_a_variant_with_an_interface_of_its_own_is_held_to_that_and_to_the_feed(app, engine, tmp_path):
    write(tmp_path, "deploy/gunicorn/server.toml", GUNICORN + GUNICORN_ASGI)
    target = Target(server="gunicorn", variant="asgi", edge=None)
    expected = expectation(load_catalog(tmp_path), stack_settings(jwt_key=KEY, target=target))
    said = {"variant": "asgi", "multithread": None, "realtime": True}
    app.identity = identity_of(interface="asgi", **said)
    assert failures(engine, expected) == []
    app.identity = identity_of(interface="wsgi", **said)
    assert failures(engine, expected) == ["identity: interface: wsgi, expected asgi"]


def test_postgresql_is_what_the_app_calls_it(app, engine, expected):
    app.identity = identity_of(database="postgresql")
    settings = replace(expected.settings, database=Database.POSTGRES)
    assert failures(engine, replace(expected, settings=settings)) == []


def test_daphne_in_the_place_of_runserver_is_seen_by_its_header(app, engine, expected):
    app.server_header = "daphne"
    assert failures(engine, expected) == ["Server header: 'daphne', expected ^gunicorn$"]


def test_a_header_where_none_should_be_is_as_wrong_as_a_missing_one(app, engine, expected, catalog):
    bare = replace(expected, identity=replace_header(expected.identity, ""))
    assert failures(engine, bare) == ["Server header: 'gunicorn', expected none"]
    app.server_header = None
    assert failures(engine, bare) == []
    assert failures(engine, expected) == ["Server header: '', expected ^gunicorn$"]


def replace_header(identity, header):
    return type(identity)(server_header=header, process=identity.process, supervisors=identity.supervisors)


def test_behind_an_edge_the_header_has_to_be_the_edges(app, client, engine, catalog):
    client.add("edge", ports={8080: app.port})
    expected = expectation(catalog, stack_settings("gunicorn:gthread+nginx", jwt_key=KEY))
    assert failures(engine, expected) == ["Server header: 'gunicorn', expected ^nginx$"]
    app.server_header = "nginx"
    assert failures(engine, expected) == []


@pytest.mark.parametrize(
    ("processes", "found"),
    [
        ([], -1),
        (["gunicorn: master"], 0),
        ([*ONE_CORE, "gunicorn: worker"], 2),
        ([*ONE_CORE, "sh -c gunicorn"], 1),
    ],
)
def test_workers_are_counted_among_the_processes(client, engine, expected, processes, found):
    client.containers.things[0].processes = processes
    wrong = [] if found == 1 else [f"worker processes: {found}, expected 1"]
    assert failures(engine, expected) == wrong


def test_every_replica_has_to_answer_and_to_have_its_workers(app, client, engine, catalog):
    client.add("app", processes=ONE_CORE)
    client.add("edge", ports={8080: app.port})
    app.server_header = "nginx"
    expected = expectation(catalog, stack_settings("gunicorn:gthread+nginx", jwt_key=KEY, replicas=2))
    assert failures(engine, expected) == ["replicas that answered: 1, expected 2"]
    app.hostnames = ("one", "two")
    app.forget_turn()
    assert failures(engine, expected) == []
    client.containers.things[1].processes = ONE_CORE[:1]
    assert failures(engine, expected) == ["worker processes: 1, expected 2"]


def test_wrong_answers_fail(app, engine, expected):
    app.books, app.username = 20, "user02"
    app.statuses = {"/healthz": 500}
    assert failures(engine, expected) == [
        "/healthz: status 500, expected 200",
        "profile of the token's user: user02, expected user01",
        "seeded books: 20 of 500, status 200",
    ]


def test_an_app_that_takes_any_token_fails_all_of_the_refusals(app, engine, expected):
    app.takes_any_token = True
    assert failures(engine, expected) == [
        f"refused: {name}: status 200 without WWW-Authenticate, expected 401"
        for name in ("token signed with another key", "expired token", "token with alg none")
    ]


def test_a_401_that_does_not_say_how_to_authenticate_is_no_refusal(app, engine, expected):
    app.asks_for_token = False
    assert (
        failures(engine, expected)[0]
        == "refused: no token: status 401 without WWW-Authenticate, expected 401"
    )
    assert len(failures(engine, expected)) == 4


def test_an_app_that_refuses_everything_fails_too(app, engine, expected):
    app.jwt_key = "another key, which the lab does not know"
    assert failures(engine, expected) == ["control token: status 401, expected 200"]


def test_an_answer_that_only_claims_to_be_json_is_told_and_breaks_nothing(app, engine, expected):
    app.raw = {"/lab/identity": b"<html>502</html>"}
    assert failures(engine, expected)[0] == "identity: interface: <html>502</html>, expected wsgi"


def test_a_stack_that_no_longer_answers_fails_every_check_with_the_reason(client, engine, expected):
    client.containers.things[0].ports = {8000: 1}
    failed = failures(engine, expected)
    assert failed[0].startswith("identity: interface: ConnectError: ")
    assert len(failed) == 28


def test_a_stack_whose_container_died_is_told_with_its_last_lines(client, engine, expected):
    app = client.containers.things[0]
    app.ports, app.status, app.exit_code, app.logged = {}, "exited", 137, ["Killed"]
    with pytest.raises(StackDied) as died:
        probe.prove(engine, expected)
    assert died.value.what.endswith("\nserverlab-app-1 ended with 137:\n  | Killed")


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_a_stack_that_signs_with_another_algorithm_is_proven_with_tokens_of_its_own_key(
    app, engine, catalog, algorithm
):
    kept = jwk_set(algorithm)
    app.jwt_algorithm, app.jwt_key, app.jwt_public_key = algorithm, *key_pair(kept)
    app.identity = identity_of(jwt_algorithm=algorithm)
    settings = stack_settings(app={"LAB_JWT_ALGORITHM": algorithm, "LAB_JWT_KEYS": kept})
    assert failures(engine, expectation(catalog, settings)) == []
    other = stack_settings(app={"LAB_JWT_ALGORITHM": algorithm, "LAB_JWT_KEYS": jwk_set(algorithm)})
    assert failures(engine, expectation(catalog, other)) == ["control token: status 401, expected 200"]


@pytest.mark.parametrize("token", ["", "a.b", "a.%%%.c", "a.bnVsbA.c", "a.e30.c"])
def test_what_is_no_token_of_an_object_says_nothing(token):
    assert probe.claims_of(token) == {}


def test_readiness_is_the_time_since_the_first_container_started(client, engine):
    client.containers.things[0].started_at = "2026-11-22T10:15:00.123456789Z"
    client.add("app", started_at="2026-11-22T10:15:02Z")
    assert probe.wait_ready(engine, stack_settings()) == pytest.approx(
        probe.time.time() - 1795342500.123, abs=1.0
    )


def test_a_container_that_dies_before_it_is_ready_is_told_with_its_last_lines(app, client, engine):
    app.statuses = {"/readyz": 503}
    client.add("db", status="exited", exit_code=1, logged=["no space left on device"])
    with pytest.raises(StackDied) as died:
        probe.wait_ready(engine, stack_settings())
    assert died.value.what == (
        "gunicorn:gthread did not start\nserverlab-db-1 ended with 1:\n  | no space left on device"
    )


def test_a_stack_that_is_not_ready_in_time_is_told_with_what_it_logged(app, client, engine):
    app.statuses = {"/readyz": 503}
    client.containers.things[0].logged = ["waiting for the database"]
    with pytest.raises(StackDied) as died:
        probe.wait_ready(engine, stack_settings(), deadline_s=0)
    assert died.value.what == (
        "gunicorn:gthread was not ready within 0 s\nserverlab-app-1 is running:\n  | waiting for the database"
    )
