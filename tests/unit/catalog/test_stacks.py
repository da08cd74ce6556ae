"""The stack of a target, as far as the definitions say it."""

import pytest

from serverlab.catalog import load_catalog
from serverlab.catalog.stacks import stack_of, started_together
from serverlab.cli.context import CHECKOUT
from serverlab.model.records import CoreSplit
from serverlab.model.stacks import Database, Proxied

CATALOG = load_catalog(CHECKOUT)
SPLIT = CoreSplit(stack="0", generator="1", disjoint=True)


def stack(name, **changes):
    return stack_of(
        CATALOG, CATALOG.target(name), **{"cpus": 2, "split": SPLIT, "label": "quick-1"} | changes
    )


def test_a_stack_is_what_the_variant_of_its_target_says():
    for target in CATALOG.targets():
        settings, variant = stack(str(target)), CATALOG.variant(target)
        assert (settings.target, settings.cpus, settings.split, settings.label) == (
            target,
            2,
            SPLIT,
            "quick-1",
        )
        assert (settings.protocol, settings.keeps_connections) == (
            variant.protocol,
            variant.keeps_connections,
        )
        assert settings.replicas == CATALOG.replicas(target, cpus=2)


def test_replicas_that_are_wanted_and_other_fields_take_the_place_of_what_is_usual():
    settings = stack("gunicorn:gthread+nginx", replicas=3, database=Database.POSTGRES)
    assert (settings.replicas, settings.database) == (3, Database.POSTGRES)


def test_no_two_stacks_have_the_same_keys():
    one, two = stack("gunicorn:gthread"), stack("gunicorn:gthread")
    assert one.jwt_key != two.jwt_key
    assert one.secret_key != two.secret_key


def test_an_edge_is_started_with_a_server_of_one_container():
    settings = started_together(stack("gunicorn:gthread+nginx", replicas=1, overlays=("limits.yml",)))
    assert settings.files() == ["stack.yml", "edge.yml", "limits.yml", "early-edge.yml"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        pytest.param("gunicorn:gthread", {}, id="no edge"),
        pytest.param("gunicorn:gthread+nginx", {"replicas": 2}, id="it asks for addresses once"),
        pytest.param("gunicorn:gthread+nginx", {"realtime": True, "replicas": 1}, id="two servers"),
        pytest.param("gunicorn:gthread+nginx", {"proxied": Proxied.UPSTREAM, "replicas": 1}, id="a proxy"),
    ],
)
def test_an_edge_waits_for_all_that_it_hands_on_to(name, changes):
    settings = stack(name, **changes)
    assert started_together(settings) is settings
