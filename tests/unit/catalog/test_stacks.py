"""The stack of a target, as far as the definitions say it."""

from serverlab.catalog import load_catalog
from serverlab.catalog.stacks import stack_of
from serverlab.cli.context import CHECKOUT
from serverlab.model.records import CoreSplit
from serverlab.model.stacks import Database

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
