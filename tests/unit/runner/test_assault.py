"""What attacks are put to: the stack of a profile, and the images that it is made of."""

import pytest

from serverlab.attacks import ATTACKS
from serverlab.attacks.profiles import PROFILES
from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.compose import Cache, Database
from serverlab.model.records import CoreSplit
from serverlab.runner.assault import images_attacked, stage_settings

CATALOG = load_catalog(CHECKOUT)
GTHREAD = CATALOG.target("gunicorn:gthread")
IMAGES = dict.fromkeys(("app", "gunicorn", "daphne", "nginx", "postgres", "redis", "load"))


@pytest.mark.parametrize(
    ("profile", "database", "cache"),
    [
        ("open", Database.SQLITE, Cache.DATABASE),
        ("services", Database.POSTGRES, Cache.REDIS),
        ("split", Database.SQLITE, Cache.DATABASE),
    ],
)
def test_a_stack_keeps_its_rows_where_its_profile_says(profile, database, cache):
    split = CoreSplit(stack="0", generator="1", disjoint=True)
    settings = stage_settings(CATALOG, GTHREAD, profile, split=split, label="run")
    assert (settings.database, settings.cache) == (database, cache)
    assert settings.app == PROFILES[profile].app()
    assert settings.realtime is (profile == "split")


@pytest.mark.parametrize(
    ("target", "attacks", "used"),
    [
        ("gunicorn:gthread", ["A1-01"], {"app", "gunicorn"}),
        ("gunicorn:gthread+nginx", ["A1-01"], {"app", "gunicorn", "nginx"}),
        ("gunicorn:gthread", ["A1-01", "W-10b"], {"app", "gunicorn", "postgres", "redis"}),
        ("gunicorn:gthread+nginx", ["A4-09"], {"app", "gunicorn", "nginx", "postgres", "redis"}),
        ("gunicorn:gthread", ["T-04"], {"app", "gunicorn"}),
        ("gunicorn:gthread", ["A4-20s"], {"app", "gunicorn"}),
        ("gunicorn:gthread+nginx", ["A4-20s"], {"app", "gunicorn", "nginx", "daphne", "redis"}),
    ],
)
def test_the_images_of_a_run_are_those_that_its_stacks_are_made_of(target, attacks, used):
    chosen = [ATTACKS[name] for name in attacks]
    assert set(images_attacked(IMAGES, [CATALOG.target(target)], chosen)) == used


@pytest.mark.parametrize(("profile", "early"), [("guarded", True), ("services", True), ("replicated", False)])
def test_an_edge_is_not_kept_waiting_for_the_only_server_behind_it(profile, early):
    split = CoreSplit(stack="0", generator="1", disjoint=True)
    target = CATALOG.target("gunicorn:gthread+nginx")
    settings = stage_settings(CATALOG, target, profile, split=split, label="run")
    assert ("early-edge.yml" in settings.files()) is early
