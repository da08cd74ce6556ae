"""Workloads with variants: names, what a variant makes of its workload, mistakes, and experiments that compare them."""

from itertools import groupby

import pytest

from serverlab.catalog import load_catalog, make_plan, read_experiment
from serverlab.errors import UsageError
from serverlab.model.definitions import LoadOverrides
from tests.checkout import COMPARED, LISTS, make_checkout, write


@pytest.fixture
def root(tmp_path):
    checkout = make_checkout(tmp_path)
    write(checkout, "loadtests/lists/workload.toml", LISTS)
    return checkout


@pytest.fixture
def catalog(root):
    return load_catalog(root)


def compared(root, old="", new=""):
    assert old in COMPARED
    return write(root, "experiments/lists.toml", COMPARED.replace(old, new))


def refusal(root, old, new):
    path = compared(root, old, new)
    with pytest.raises(UsageError) as caught:
        read_experiment(path, load_catalog(root))
    return caught.value.what.replace(f"{path}: ", "").splitlines()


def test_a_variant_is_its_workload_with_what_it_changes(catalog):
    naive, cached = catalog.workload("lists:naive"), catalog.workload("lists:cached")
    assert (naive.title, naive.description) == ("Profile, naive", "A query for each row")
    assert (naive.users, naive.variants, naive.cache) == (16, {}, None)
    assert (naive.app, naive.parameters) == ({"LAB_JWT_VERIFY": "stateless"}, {"strategy": "naive"})
    assert cached.app == {"LAB_JWT_VERIFY": "stateless", "LAB_SESSION_STORE": "cache"}
    assert cached.cache == "redis"


def test_a_variant_may_say_how_many_workers_there_are_and_otherwise_the_workload_does(root):
    told = LISTS.replace("[variants.naive]\n", "[variants.naive]\nworkers = 2\n")
    assert told != LISTS
    write(root, "loadtests/lists/workload.toml", told)
    catalog = load_catalog(root)
    assert catalog.mistakes == ()
    assert (catalog.workload("lists:naive").workers, catalog.workload("lists:cached").workers) == (2, None)


def test_no_workers_at_all_is_a_mistake(root):
    write(
        root,
        "loadtests/lists/workload.toml",
        LISTS.replace("[variants.naive]\n", "[variants.naive]\nworkers = 0\n"),
    )
    assert [each for each in load_catalog(root).mistakes if "variants.naive.workers" in each] != []


def test_every_name_that_can_be_run_is_listed(catalog):
    assert list(catalog.workload_names()) == [
        "lists:naive",
        "lists:join",
        "lists:cached",
        "profile",
        "static",
    ]


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        (
            "lists",
            "workload 'lists': name one of its variants",
            "Known: lists:naive, lists:join, lists:cached",
        ),
        (
            "lists:naiv",
            "'lists:naiv': unknown variant of lists 'naiv', did you mean 'naive'?",
            "Known: naive, join, cached",
        ),
        ("profile:naive", "'profile:naive': unknown variant of profile 'naive'", "Known: "),
        (
            "lits:naive",
            "'lits:naive': unknown workload 'lits', did you mean 'lists'?",
            "Known: lists, profile, static",
        ),
    ],
)
def test_a_name_that_leaves_the_variant_open_or_has_none_is_refused(catalog, name, what, hint):
    with pytest.raises(UsageError) as caught:
        catalog.workload(name)
    assert (caught.value.what, caught.value.hint) == (what, hint)


def test_all_mistakes_in_variants_are_told(root):
    wrong = (
        LISTS.replace('{ LAB_JWT_VERIFY = "stateless" }', '{ LAB_JWT_VERIFY = "never" }')
        .replace("[variants.naive]", "[variants.Naive]")
        .replace("LAB_SESSION_STORE", "LAB_SESION_STORE")
    )
    write(root, "loadtests/lists/workload.toml", wrong)
    form = "a name has small letters and digits, and single hyphens within"
    unknown = "no workload may set this, did you mean 'LAB_SESSION_STORE'?"
    known = "LAB_SESSION_STORE, LAB_JWT_VERIFY, LAB_PLAIN_TOKENS, LAB_CHEAP_HASHER, LAB_DEBUG, LAB_STATIC"
    assert load_catalog(root).mistakes == (
        "loadtests/lists/workload.toml: app.LAB_JWT_VERIFY: 'never' is none of user, stateless",
        f"loadtests/lists/workload.toml: variants.Naive: {form}",
        f"loadtests/lists/workload.toml: variants.cached.app.LAB_SESION_STORE: {unknown} (known: {known})",
    )


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ('cache = "redis"', 'cache = "memcached"', "variants.cached.cache: Invalid enum value 'memcached'"),
        ('strategy = "join"', "strategy = 1", "variants.join.parameters.strategy: Expected `str`, got `int`"),
        ('title = "join"\n', "", "variants.join.title: missing"),
    ],
)
def test_a_variant_is_read_as_strictly_as_the_rest(root, old, new, mistake):
    assert old in LISTS
    write(root, "loadtests/lists/workload.toml", LISTS.replace(old, new))
    (found,) = load_catalog(root).mistakes
    assert found.startswith(f"loadtests/lists/workload.toml: {mistake}")


def test_the_hash_of_a_variant_is_that_of_its_workloads_folder(root, catalog):
    target = [catalog.target("gunicorn")]
    before = catalog.hashes(targets=target, workloads=["lists:naive", "lists:join"])
    assert [name for name in before if name.startswith("workload/")] == ["workload/lists", "workload/shared"]
    write(root, "loadtests/lists/locustfile.py", "")
    after = catalog.hashes(targets=target, workloads=["lists:naive", "lists:join"])
    assert [name for name in before if before[name] != after[name]] == ["workload/lists"]


def test_an_experiment_may_run_a_variant_as_any_workload(root, catalog):
    path = write(
        root,
        "experiments/one.toml",
        COMPARED.split("[comparisons]", maxsplit=1)[0]
        + 'workloads = ["lists:naive"]\nreference = "gunicorn"\n',
    )
    plan = make_plan(catalog, read_experiment(path, catalog), name="one", experiment_hash="")
    assert plan.trials[0].workload == "lists:naive"
    assert plan.workloads["lists:naive"].parameters == {"strategy": "naive"}


def test_a_comparison_is_planned_in_blocks_of_one_target_with_the_workloads_as_they_are_measured(
    root, catalog
):
    experiment = read_experiment(compared(root), catalog)
    plan = make_plan(catalog, experiment, name="lists", experiment_hash="")
    assert plan.experiment.reference is None
    blocks = [
        (key, sorted(each.workload for each in trials))
        for key, trials in groupby(plan.trials, key=lambda each: (each.round, each.target))
    ]
    both = ["lists:join", "lists:join", "lists:naive"]
    controls = [each.workload for each in plan.trials if each.control]
    assert controls == ["lists:join"] * 4
    assert sorted(blocks) == [
        ((number, target), both) for number in (1, 2) for target in ("gunicorn:gthread", "runserver:threaded")
    ]
    assert {name: (each.duration_s, each.app) for name, each in plan.workloads.items()} == dict.fromkeys(
        both, (1.5, {"LAB_JWT_VERIFY": "stateless"})
    )
    assert plan.workloads["lists:join"].parameters == {"strategy": "join"}


def test_within_a_block_the_order_is_shuffled(root, catalog):
    experiment = read_experiment(compared(root, "rounds = 2", "rounds = 20"), catalog)
    plan = make_plan(catalog, experiment, name="lists", experiment_hash="")
    first = {each.workload for each in plan.trials[::3]}
    assert first == {"lists:join", "lists:naive"}


@pytest.mark.parametrize(
    ("old", "new", "mistakes"),
    [
        (
            '["lists:naive"]',
            '["lists:niave", "lists:join"]',
            [
                "comparisons.'lists:join'[0]: 'lists:niave': unknown variant of lists 'niave', did you mean 'naive'?",
                "comparisons: the same workload is named twice",
            ],
        ),
        (
            '["lists:naive"]',
            '["profile"]',
            ["comparisons: only variants of one workload can be compared, not of lists and profile"],
        ),
        (
            "rounds = 2",
            'workloads = ["profile"]',
            [
                "workloads: comparisons name the workloads; leave one of the two out",
                "comparisons: only variants of one workload can be compared, not of lists and profile",
            ],
        ),
        (
            "rounds = 2",
            'reference = "gunicorn"',
            ["reference: comparisons name their references; leave one of the two out"],
        ),
        ('[comparisons]\n"lists:join" = ["lists:naive"]', 'workloads = ["profile"]', ["reference: missing"]),
    ],
)
def test_a_comparison_that_could_not_be_made_is_refused(root, old, new, mistakes):
    assert refusal(root, old, new) == mistakes


def test_overrides_reach_every_variant(root, catalog):
    experiment = read_experiment(compared(root), catalog)
    assert experiment.load == LoadOverrides(duration_s=1.5)
    assert experiment.measured_workloads() == ("lists:join", "lists:naive")
    assert [experiment.reference_workload(each) for each in ("lists:join", "lists:naive", "profile")] == [
        "lists:join",
        "lists:join",
        None,
    ]
