"""`run` with an experiment that compares the variants of a workload, over an engine without containers."""

import json

import pytest

from tests.checkout import COMPARED, LISTS, write


@pytest.fixture
def root(root):
    write(root, "loadtests/lists/workload.toml", LISTS)
    write(
        root,
        "experiments/lists.toml",
        COMPARED.replace('["lists:naive"]', '["lists:naive", "lists:cached"]'),
    )
    return root


def test_variants_are_measured_on_every_target_and_compared_there(cli, fake):
    ran = cli("run", "lists", "--rounds", "1")
    assert (ran.code, "VOID" in ran.out) == (0, False)
    assert [line for line in ran.out.splitlines() if line.endswith(", 1 core")] == [
        "gunicorn:gthread, 1 core",
        "runserver:threaded, 1 core",
    ]
    rows = [line.split()[0] for line in ran.out.splitlines() if " 1/1" in line]
    assert rows == ["lists:join", "lists:naive", "lists:cached"] * 2
    assert "sessions: database (lists:cached: cache)" in " ".join(ran.out.split())


def test_the_run_keeps_what_each_variant_was(cli, root):
    cli("run", "lists", "--rounds", "1", "--targets", "gunicorn")
    (run,) = (root / "results/lists").iterdir()
    plan = json.loads((run / "plan.json").read_text())
    assert plan["workloads"]["lists:cached"]["app"] == {
        "LAB_JWT_VERIFY": "stateless",
        "LAB_SESSION_STORE": "cache",
    }
    assert {name: each["cache"] for name, each in plan["workloads"].items()} == {
        "lists:join": None,
        "lists:naive": None,
        "lists:cached": "redis",
    }
    assert sorted((each["workload"], each["control"]) for each in plan["trials"]) == [
        ("lists:cached", False),
        ("lists:join", False),
        ("lists:join", True),
        ("lists:naive", False),
    ]


@pytest.mark.parametrize(
    ("setting", "said"),
    [('LAB_SESSION_STORE = "cache"', ["cheap password hasher"]), ('LAB_CHEAP_HASHER = "off"', [])],
)
def test_what_a_variant_changes_is_not_said_to_be_equal_for_all(cli, root, setting, said):
    write(root, "loadtests/lists/workload.toml", LISTS.replace('LAB_SESSION_STORE = "cache"', setting))
    cli("run", "lists", "--rounds", "1", "--targets", "gunicorn")
    (run,) = (root / "results/lists").iterdir()
    equal = json.loads((run / "environment.json").read_text())["equal"]
    assert [key for key in equal if "hasher" in key] == said


def test_a_workload_with_variants_is_not_run_without_one(cli, root):
    write(root, "experiments/lists.toml", COMPARED.replace('"lists:join" =', '"lists" ='))
    refused = cli("run", "lists")
    assert refused.code == 2
    assert "comparisons.'lists': workload 'lists': name one of its variants" in refused.err


def test_every_variant_is_listed(cli):
    listed = json.loads(cli("list", "workloads", "--json").out)["workloads"]
    assert listed["lists:cached"] == "Profile, cached"
    assert "lists" not in listed
