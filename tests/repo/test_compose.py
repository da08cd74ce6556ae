"""Every target resolves to containers that keep the container contract, with every overlay laid on."""

import json
import re
from functools import cache

import pytest

from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.compose import LABEL, Cache, Database, StackSettings
from serverlab.errors import CommandFailed
from serverlab.images import find_sources
from serverlab.load import headless_variables
from serverlab.model.records import CoreSplit
from serverlab.shell import HostShell, run_checked

CATALOG = load_catalog(CHECKOUT)
ONE_SHOT = {"migrate"}


@cache
def settings_of(target_name):
    target = CATALOG.target(target_name)
    return StackSettings(
        target=target,
        protocol=CATALOG.variant(target).protocol,
        keeps_connections=CATALOG.variant(target).keeps_connections,
        cpus=2,
        replicas=CATALOG.replicas(target, cpus=2),
        split=CoreSplit(stack="0", generator="1", disjoint=True),
        label="repo",
        database=Database.POSTGRES,
        cache=Cache.REDIS,
        realtime=target.edge is not None
        and "websocket" not in CATALOG.capabilities(target)
        and CATALOG.variant(target).runs_coroutines,
        port=8000,
        tls_port=8443,
    )


@cache
def resolved_with_everything(target_name):
    settings = settings_of(target_name)
    load = headless_variables("profile", CATALOG.workload("profile"), url=settings.inner_url)
    return resolve([*settings.files(), "load.yml", "locust.yml"], settings.variables() | load)


@pytest.fixture
def settings(target_name):
    return settings_of(target_name)


@pytest.fixture
def resolved(target_name):
    """What Compose makes of the stack with PostgreSQL, the generator and its web page."""
    return resolved_with_everything(target_name)


def resolve(files, variables):
    chosen = [word for name in files for word in ("--file", str(CHECKOUT / "compose" / name))]
    done = run_checked(
        HostShell(), ["docker", "compose", *chosen, "config", "--format", "json"], env=variables
    )
    assert done.stderr == "", "Compose warns"
    return json.loads(done.stdout)


def test_a_target_alone_resolves_to_its_server_and_its_edge(settings):
    front = "edge.yml" if settings.target.edge else "direct.yml"
    services = resolve(["stack.yml", front], settings.variables())["services"]
    assert set(services) == ({"app", "edge"} if settings.target.edge else {"app"})
    assert services["app"]["image"] == f"serverlab/{settings.target.server}:dev"
    environment = services["app"]["environment"]
    assert (environment["LAB_VARIANT"], environment["LAB_CPUS"]) == (settings.target.variant, "2")
    assert environment["DJANGO_SECRET_KEY_FILE"] != environment["DJANGO_JWT_KEY_FILE"]


def test_every_container_keeps_the_contract(root, resolved, settings):
    edge = {"edge"} if settings.target.edge else set()
    beside = {"realtime"} if settings.realtime else set()
    assert set(resolved["services"]) == {"app", "db", "migrate", "cache", "load", *edge, *beside}
    images = {source.tag for source in find_sources(root).values()}
    for name, service in resolved["services"].items():
        assert service["image"] in images, name
        assert service["pull_policy"] == "never", name
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"], name
        assert "privileged" not in service, name
        assert int(service["mem_limit"]) > 0, name
        assert service["memswap_limit"] == service["mem_limit"], name
        assert service["pids_limit"] > 0, name
        assert any(mount.startswith("/tmp") for mount in service["tmpfs"]), name
        assert not [volume for volume in service.get("volumes", []) if volume["type"] == "bind"], name


def test_everything_carries_the_label_of_its_run(resolved):
    for kind in ("services", "networks", "volumes"):
        for name, each in resolved[kind].items():
            assert each["labels"][LABEL] == "repo", f"{kind}: {name}"
    assert resolved["name"] == "serverlab"


def test_ports_are_published_on_loopback_only_and_by_the_front_only(resolved, settings):
    ports = {name: service["ports"] for name, service in resolved["services"].items() if "ports" in service}
    assert set(ports) == {"edge" if settings.target.edge else "app", "load"}
    assert {port["host_ip"] for each in ports.values() for port in each} == {"127.0.0.1"}


def test_stack_and_generator_are_kept_on_their_own_cores(resolved):
    cores = {name: service["cpuset"] for name, service in resolved["services"].items()}
    assert cores.pop("load") == "1"
    assert set(cores.values()) == {"0"}


def test_a_generator_that_is_held_is_started_before_the_app_and_needs_nothing_else(settings):
    files = [*settings.files(), "load.yml"]
    free, kept = (resolve([*files, *held], settings.variables())["services"] for held in ([], ["held.yml"]))
    app = kept["app"].pop("depends_on")
    assert app.pop("load") == {"condition": "service_started", "required": True}
    assert app == free["app"].pop("depends_on", {})
    assert kept["load"].pop("entrypoint") == ["/venv/bin/python", "-P", "-m", "shared.held"]
    assert kept["load"] == {key: each for key, each in free["load"].items() if key != "entrypoint"}
    assert kept["app"] == free["app"]


def test_services_that_go_on_have_a_health_check(resolved):
    without = {name for name, service in resolved["services"].items() if "healthcheck" not in service}
    assert without <= {"load", *ONE_SHOT}


def test_an_edge_is_given_the_protocol_that_the_variant_speaks(resolved, settings):
    if settings.target.edge:
        assert resolved["services"]["edge"]["environment"]["LAB_UPSTREAM"] == settings.protocol.value
        assert resolved["services"]["app"]["environment"]["DJANGO_TRUSTED_PROXY"] == "true"
    else:
        assert "DJANGO_TRUSTED_PROXY" not in resolved["services"]["app"]["environment"]


def test_an_edge_keeps_connections_unless_the_variant_closes_them_silently(resolved, settings):
    if settings.target.edge:
        kept = CATALOG.variant(settings.target).keeps_connections
        told = resolved["services"]["edge"]["environment"]["LAB_UPSTREAM_KEEPALIVE"]
        assert told == ("on" if kept else "off")


def test_daphne_beside_a_server_is_what_the_app_is_but_for_its_server(resolved, settings):
    services = resolved["services"]
    assert services["app"]["environment"]["REDIS_URL"] == "redis://cache:6379/0"
    if not settings.realtime:
        assert "realtime" not in services
        return
    app, beside = services["app"], services["realtime"]
    assert beside["image"] == "serverlab/daphne:dev"
    assert [volume["source"] for volume in beside["volumes"]] == ["data"]
    own = {"LAB_VARIANT", "LAB_CPUS", "LAB_WORKERS", "LAB_THREADS", "LAB_REALTIME"}
    assert {
        name for name in app["environment"] if app["environment"][name] != beside["environment"].get(name)
    } <= own
    assert services["edge"]["environment"]["LAB_REALTIME_ADDRESS"] == "realtime:8000"
    assert beside["scale"] == 1


def test_replicas_are_as_many_as_the_budget_asks_for(resolved, settings):
    assert resolved["services"]["app"]["scale"] == settings.replicas


def test_every_variable_of_the_compose_files_is_documented(root):
    page = (root / "compose/README.md").read_text(encoding="utf-8")
    used = set()
    for path in (root / "compose").glob("*.yml"):
        used |= set(re.findall(r"\$\{(\w+)", path.read_text(encoding="utf-8")))
    assert sorted(name for name in used if f"`{name}`" not in page) == []


def test_no_secret_of_a_stack_is_in_what_compose_makes_of_it(settings):
    resolved = json.dumps(resolve([*settings.files(), "load.yml", "prober.yml"], settings.variables()))
    assert [name for name, secret in settings.secrets().items() if secret and secret in resolved] == []


def test_every_file_with_a_secret_is_mounted_where_it_is_looked_for(resolved, settings):
    assert set(resolved["secrets"]) == set(settings.secrets())
    for name, service in resolved["services"].items():
        mounted = {f"/run/secrets/{each['source']}" for each in service.get("secrets", [])}
        environment = service.get("environment", {})
        wanted = {value for key, value in environment.items() if key.endswith("_FILE") and value}
        assert {each for each in wanted if each.startswith("/run/secrets/")} <= mounted, name


def test_the_plain_stack_needs_only_the_server_and_the_files():
    required = {"LAB_SERVER": "gunicorn"}
    services = resolve(["stack.yml", "direct.yml"], required)["services"]
    assert services["app"]["labels"][LABEL] == "by-hand"
    assert {each["source"] for each in services["app"]["secrets"]} == {
        "secret_key",
        "jwt_key",
        "jwt_keys",
        "database_password",
    }
    for name in required:
        with pytest.raises(CommandFailed, match=f"required variable {name} is missing"):
            resolve(["stack.yml", "direct.yml"], required | {name: ""})
