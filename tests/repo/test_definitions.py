"""Every definition parses, and adding one means adding a folder or a file and nothing else."""

import pytest

from serverlab.catalog import load_experiments, make_plan
from serverlab.catalog.reading import read_toml
from serverlab.model.definitions import Edge, Server


def test_no_definition_has_a_mistake(catalog):
    assert catalog.mistakes == ()


def test_every_folder_in_deploy_is_a_server_an_edge_or_what_they_share(root, catalog):
    folders = {path.name for path in (root / "deploy").iterdir() if path.is_dir()}
    assert folders == {*catalog.servers, *catalog.edges, "redis", "witness", "faultproxy"}


def test_every_server_and_edge_has_its_definition_and_its_image(root, deployed):
    folder = root / "deploy" / deployed
    kinds = {"server.toml": Server, "edge.toml": Edge}
    (definition,) = [name for name in kinds if (folder / name).exists()]
    assert read_toml(folder / definition, kinds[definition])[1] == []
    assert (folder / "Dockerfile").is_file()


def test_those_that_document_a_graceful_stop_are_asked_for_it(catalog):
    drain = {name for name, server in catalog.servers.items() if "graceful_stop" in server.capabilities}
    assert drain == {"apache", "gunicorn", "uwsgi"}


def test_where_requests_are_greenlets_no_coroutine_runs_and_daphne_does_not_stand_beside(catalog):
    greenlets = {
        f"{name}:{key}": variant.runs_coroutines
        for name, server in catalog.servers.items()
        for key, variant in server.variants.items()
        if variant.environment.get("LAB_WORKER_CLASS") == "gevent"
    }
    assert greenlets == {"gunicorn:gevent": False}


def test_every_folder_in_loadtests_is_a_workload_or_what_they_share(root, catalog):
    folders = {
        path.name for path in (root / "loadtests").iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert folders == {*catalog.workloads, "shared"}
    assert [
        name for name in catalog.workloads if not (root / "loadtests" / name / "locustfile.py").is_file()
    ] == []


def test_every_experiment_can_be_planned(catalog):
    experiments = load_experiments(catalog)
    assert {"quick", "baseline", "scaling"} <= set(experiments)
    for name, experiment in experiments.items():
        assert make_plan(catalog, experiment, name=name, experiment_hash="").trials


def test_the_quick_experiment_asks_five_servers_directly(catalog):
    quick = load_experiments(catalog)["quick"]
    targets = [catalog.target(name) for name in quick.targets]
    assert sorted(target.server for target in targets) == [
        "apache",
        "daphne",
        "gunicorn",
        "runserver",
        "uwsgi",
    ]
    assert {target.edge for target in targets} == {None}
    assert (quick.workloads, quick.rounds) == (("profile",), 3)


def test_the_baseline_asks_every_server_directly_and_behind_the_edge(catalog):
    targets = [catalog.target(name) for name in load_experiments(catalog)["baseline"].targets]
    for edge in (None, "nginx"):
        assert {target.server for target in targets if target.edge == edge} == set(catalog.servers)


@pytest.mark.parametrize("name", ["feed", "idle-sockets"])
def test_who_speaks_websocket_is_asked_about_sockets_directly_and_behind_the_edge(catalog, name):
    """In production and as one process: replicas of Daphne are Daphne on one core."""
    experiment = load_experiments(catalog)[name]
    speaking = {
        str(target)
        for target in catalog.targets()
        if "websocket" in catalog.capabilities(target)
        and catalog.variant(target).track.value == "production"
        and not catalog.variant(target).replicas_per_cpu
    }
    assert set(experiment.targets) == speaking
    assert experiment.workloads == (name,)


def test_every_server_has_a_default_and_a_production_track_or_says_what_it_is_not_for(catalog, server_name):
    tracks = {variant.track.value for variant in catalog.servers[server_name].variants.values()}
    assert tracks == ({"default"} if server_name == "runserver" else {"default", "production"})


@pytest.mark.parametrize("kind", ["servers", "edges"])
def test_every_setting_says_why_and_links_to_the_vendor(catalog, kind):
    for name, definition in getattr(catalog, kind).items():
        assert definition.docs.startswith("https://"), name
        for setting in definition.settings:
            assert setting.link.startswith("https://"), f"{name}: {setting.setting}"
            assert setting.why.endswith("."), f"{name}: {setting.setting}"


def test_every_variant_of_the_production_track_has_a_setting_with_a_link(catalog, server_name):
    server = catalog.servers[server_name]
    for name, variant in server.variants.items():
        if variant.track.value == "production":
            assert any(not setting.variants or name in setting.variants for setting in server.settings), name
