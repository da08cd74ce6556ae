"""What differs between two runs, and which of it forbids to compare them."""

import msgspec
import pytest

from serverlab.analysis.likeness import differing, unlike
from serverlab.model.definitions import Thresholds
from serverlab.model.records import CoreSplit, ImageFacts
from serverlab.model.regressions import Differing
from tests.unit.builders import (
    GTHREAD,
    UWSGI,
    a_load,
    a_plan,
    a_proof,
    a_run,
    a_trial,
    a_workload,
    an_environment,
)

BASE = a_run([a_trial()])


def changed(**changes):
    return a_run([a_trial()], environment=an_environment(**changes))


def planned(plan=None, **hashes):
    return a_run(
        [a_trial()], plan=msgspec.structs.replace(plan or a_plan(), hashes={"experiment": "e" * 64, **hashes})
    )


def test_equal_runs_differ_in_nothing():
    assert (unlike(BASE, BASE), differing(BASE, BASE)) == ((), ())


@pytest.mark.parametrize(
    ("changes", "what", "base", "new"),
    [
        ({"cpu_model": "Other CPU"}, "CPU model", "Example CPU", "Other CPU"),
        ({"cores": 4}, "cores", "2", "4"),
        ({"memory_bytes": 16 << 30}, "memory", "8.0 GiB", "16 GiB"),
        ({"os": "Debian 13"}, "operating system", "Debian GNU/Linux 12", "Debian 13"),
        ({"kernel": "6.2.0"}, "kernel", "6.1.0", "6.2.0"),
        ({"cgroup": "v1"}, "cgroup", "v2", "v1"),
        ({"engine": "28.0"}, "engine", "26.1.5", "28.0"),
        ({"database": "postgres"}, "database", "sqlite", "postgres"),
        ({"cache": "redis"}, "cache", "–", "redis"),
        ({"equal": {"memory": "1 GiB"}}, "equal for all: keep-alive", "75 s", "–"),
        (
            {"core_splits": {"1": CoreSplit(stack="1", generator="0", disjoint=True)}},
            "CPUs for a budget of 1",
            "stack 0, generator 1",
            "stack 1, generator 0",
        ),
    ],
)
def test_what_the_machine_and_the_terms_are_must_be_alike(changes, what, base, new):
    assert unlike(BASE, changed(**changes)) == (Differing(what=what, base=base, new=new),)
    assert differing(BASE, changed(**changes)) == ()


def test_the_load_must_be_alike_in_every_setting():
    other = a_workload(users=32, think_time_ms=5.0, app={"LAB_SESSIONS": "cache"}, cache="redis")
    assert unlike(BASE, planned(a_plan(workload=other))) == (
        Differing(what="profile: users", base="16", new="32"),
        Differing(what="profile: think_time_ms", base="0.0", new="5.0"),
        Differing(what="profile: app", base="{}", new='{"LAB_SESSIONS":"cache"}'),
        Differing(what="profile: cache", base="–", new="redis"),
    )


def test_what_only_judges_or_describes_a_load_may_differ():
    other = a_workload(title="Other", thresholds=Thresholds(p99_ms=5.0), needs=("threads",))
    assert unlike(BASE, planned(a_plan(workload=other))) == ()


def test_files_of_workloads_must_be_alike_and_those_of_servers_may_differ():
    old = planned(**{"workload/profile": "a" * 64, "workload/shared": "b" * 64, "server/gunicorn": "c" * 64})
    new = planned(**{"workload/profile": "d" * 64, "workload/shared": "b" * 64, "server/gunicorn": "e" * 64})
    assert unlike(old, new) == (Differing(what="files of workload profile", base="a" * 12, new="d" * 12),)
    assert differing(old, new) == (Differing(what="files of server/gunicorn", base="c" * 12, new="e" * 12),)


def test_workloads_and_budgets_that_one_run_has_for_itself_do_not_matter():
    plan = a_plan(workloads=("profile", "wait"), cpus=(1, 2))
    wider = a_run(
        [a_trial()],
        plan=msgspec.structs.replace(plan, hashes={"experiment": "e" * 64}),
        environment=an_environment(
            core_splits={
                "1": CoreSplit(stack="0", generator="1", disjoint=True),
                "2": CoreSplit(stack="0-1", generator="1", disjoint=False),
            }
        ),
    )
    assert unlike(BASE, wider) == ()


def test_the_generator_must_be_alike():
    other = a_run([a_trial(load=a_load(versions={"locust": "2.50.0", "python": "3.13.5"}))])
    assert unlike(BASE, other) == (Differing(what="generator's locust", base="2.47.0", new="2.50.0"),)


def test_a_run_without_trials_says_nothing_about_its_generator():
    assert unlike(BASE, a_run([])) == ()


@pytest.mark.parametrize("speeds", [(20.0, 17.9), (17.9, 20.0)])
def test_cores_of_another_speed_are_another_machine(speeds):
    old, new = (a_run([a_trial(speed_before=speed, speed_after=speed)]) for speed in speeds)
    said = [f"{speed} million turns per CPU second" for speed in speeds]
    assert unlike(old, new) == (Differing(what="core speed", base=said[0], new=said[1]),)
    assert differing(old, new) == ()


def test_cores_of_almost_the_same_speed_are_told():
    old, new = (a_run([a_trial(speed_before=speed, speed_after=speed)]) for speed in (20.0, 18.1))
    assert unlike(old, new) == ()
    assert [each.what for each in differing(old, new)] == ["core speed"]


def test_the_lab_and_all_that_is_tested_may_differ():
    new = a_run(
        [a_trial(proof_before=a_proof()), a_trial(UWSGI)],
        environment=an_environment(
            started_at="2026-11-23T10:15:00+00:00",
            commit="f" * 40,
            dirty=True,
            lab_version="0.2.0",
            compose="2.30.0",
            python="3.12.1",
            images={
                "gunicorn": ImageFacts(id="sha256:2", size_bytes=1),
                "uwsgi": ImageFacts(id="sha256:3", size_bytes=1),
            },
        ),
        plan=a_plan(rounds=6, seed=8),
    )
    assert unlike(BASE, new) == ()
    assert [(each.what, each.base, each.new) for each in differing(BASE, new)] == [
        ("started", "2026-11-22T10:15:00+00:00", "2026-11-23T10:15:00+00:00"),
        ("lab", "0.1.0", "0.2.0"),
        ("commit", "0123456789ab", "ffffffffffff with uncommitted changes"),
        ("Compose", "2.26.1", "2.30.0"),
        ("lab's Python", "3.11.7", "3.12.1"),
        ("rounds", "5", "6"),
        ("seed", "7", "8"),
        ("image gunicorn", "1", "2"),
    ]


def test_another_version_of_a_server_is_told():
    proof = msgspec.structs.replace(a_proof(), server_version="28.0.0")
    new = a_run([a_trial(GTHREAD, proof_before=proof)])
    assert differing(BASE, new) == (Differing(what="version of gunicorn", base="27.0.1", new="28.0.0"),)
