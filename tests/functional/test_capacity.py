"""`capacity`, from an experiment's file to its table, over an engine without containers."""

import json
import shutil
import signal

import pytest

from serverlab import store
from tests.checkout import PROFILE, write
from tests.fake_capacity import EXPERIMENT, carrying
from tests.functional.conftest import SIGNALS

DRY = """\
What do they carry?
gunicorn:gthread  profile  1 CPU
runserver:threaded  profile  1 CPU
objectives: p50<=250ms, errors<=5%
2 searches of about 7 trials each, 26 at most
about 5 minutes at some 400 requests/s and with no trial VOID, 55 minutes at most
"""


@pytest.fixture(autouse=True)
def _searching(fake):
    write(fake.root, "experiments/capacity.toml", EXPERIMENT)
    fake.result = carrying(1e6, closed=1.15e6)


def runs(fake):
    return sorted((fake.root / "results/capacity").iterdir())


def test_a_dry_run_says_what_would_be_searched_and_touches_nothing(cli, fake):
    planned = cli("capacity", "--dry-run")
    assert (planned.code, planned.out, planned.err, fake.shell.calls) == (0, DRY, "", [])
    assert not (fake.root / "results").exists()


def test_how_long_it_takes_at_most_counts_windows_at_the_lowest_rate(cli, fake):
    path = fake.root / "experiments/capacity.toml"
    path.write_text(path.read_text().replace("highest_rate = 1e9", "highest_rate = 1e9\nlowest_rate = 50"))
    assert cli("capacity", "--dry-run").out.endswith(" VOID, 27 minutes at most\n")


def test_a_search_prints_its_table_and_writes_it_beside_the_run(cli, fake):
    done = cli("capacity")
    (path,) = runs(fake)
    assert done.code == 0
    assert "gunicorn:gthread" in done.out
    assert "search 2/2 · runserver:threaded · profile · 1 CPU" in done.err
    assert done.err.endswith(f"results: {path} (table.json, table.md)\n")
    rows = json.loads((path / "table.json").read_text())["sections"][0]["rows"]
    assert {row["target"]: row["found"]["outcome"] for row in rows} == {
        "gunicorn:gthread": "found",
        "runserver:threaded": "found",
    }
    assert fake.client.is_empty


def test_targets_workload_and_objectives_can_be_chosen(cli):
    said = cli("capacity", "uwsgi", "--slo", "p90<=1s", "--slo", "errors<=5%", "--dry-run").out
    assert said.splitlines()[1:3] == ["uwsgi:http  profile  1 CPU", "objectives: p90<=1s, errors<=5%"]
    assert "gunicorn:gthread static: lacks static" not in said
    static = cli("capacity", "gunicorn", "gunicorn+nginx", "--workload", "static", "--dry-run").out
    assert static.splitlines()[1:3] == [
        "gunicorn:gthread+nginx  static  1 CPU",
        "n/a  gunicorn:gthread static: lacks static",
    ]


def test_a_machine_reads_what_was_found(cli):
    found = json.loads(cli("capacity", "gunicorn", "--format", "json").out)
    (row,) = found["sections"][0]["rows"]
    assert row["found"]["rate"] <= 1e6 < row["found"]["missed_at"]
    assert [each["share"] for each in row["latencies"]] == [0.5, 0.9]


def test_compare_prints_the_table_of_a_search_again(cli, fake):
    first = cli("capacity", "gunicorn").out
    (path,) = runs(fake)
    assert cli("compare", f"capacity/{path.name}").out == first


@pytest.fixture
def twice(cli, fake):
    """Two searches, and how they are named."""
    cli("capacity", "gunicorn")
    (path,) = runs(fake)
    again = path.with_name("20270101-000000")
    shutil.copytree(path, again)
    environment = json.loads((again / "environment.json").read_text())
    del environment["sha256"]
    changed = environment | {"run": again.name, "started_at": "2027-01-01T00:00:00+00:00"}
    (again / "environment.json").write_text(json.dumps(changed))
    return f"capacity/{path.name}", f"capacity/{again.name}"


def test_compare_puts_two_searches_into_one_table(cli, twice):
    done = cli("compare", *twice)
    assert done.code == 0
    assert done.out.startswith(f"Capacity ({', '.join(twice)})\nWhat do they carry?\n")
    (row,) = (each for each in done.out.splitlines() if each.startswith("gunicorn:gthread  "))
    rate, same = row.split()[1:3]
    assert rate == f"{same},"
    assert len(json.loads(cli("compare", *twice, "--format", "json").out)["further"]) == 1


def test_searches_are_neither_judged_by_rules_nor_gone_on_with_as_runs(cli, twice):
    refused = cli("compare", *twice, "--fail-on", "rps:-5%")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        f"serverlab: {', '.join(twice)}: what was searched for has no metrics that are compared\n"
        "Name two searches without --fail-on, or two runs of experiments.\n"
    )
    resumed = cli("run", "--resume", twice[0])
    assert resumed.code == 2
    assert resumed.err.endswith(f"Say: serverlab capacity --resume {twice[0]}\n")


def test_what_the_generator_could_not_ask_for_is_said_beside_the_rate(cli, fake):
    fake.result = carrying(1e6, generator=8e5, closed=1.15e6)
    done = cli("capacity", "gunicorn")
    assert done.code == 0
    assert "at least " in done.out
    assert "was VOID: generator-bound: " in " ".join(done.out.split())


def test_a_capacity_that_is_not_known_has_an_exit_code_of_its_own(cli, fake):
    for number in (1, 2):
        fake.trouble[f"up {number}"] = lambda: setattr(fake.app, "server_header", "daphne")
    done = cli("capacity", "gunicorn")
    assert done.code == 5
    assert "unknown" in done.out


MOMENTS = {"up 1": 0, "load 1": 0, "window 1": 0, "ceiling": 1, "measured 3": 2}
"""Phases of a search, and how many trials are saved by then."""


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_search_that_is_told_to_end_keeps_what_was_measured_and_tells_how_to_go_on(
    cli, fake, moment, number
):
    fake.trouble[moment] = lambda: signal.raise_signal(number)
    stopped = cli("capacity", "gunicorn")
    (path,) = runs(fake)
    assert (stopped.code, stopped.out, fake.client.is_empty) == (4, "", True)
    assert stopped.err.endswith(
        f"serverlab: stopped; {MOMENTS[moment]} trials of this run are saved in {path}\n"
        f"Go on with: serverlab capacity --resume capacity/{path.name}\n"
    )
    assert len(store.read_run(path).trials) == MOMENTS[moment]


def test_a_search_that_was_told_to_end_is_gone_on_with(cli, fake):
    fake.trouble["window 3"] = lambda: signal.raise_signal(signal.SIGTERM)
    assert cli("capacity", "gunicorn").code == 4
    (path,) = runs(fake)
    fake.trouble.clear()
    resumed = cli("capacity", "--resume", f"capacity/{path.name}")
    assert resumed.code == 0
    assert "gunicorn:gthread" in resumed.out
    assert runs(fake) == [path]
    assert [each.name for each in path.rglob(".*")] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("gunicorm",), "targets[0]: unknown server 'gunicorm', did you mean 'gunicorn'?"),
        (("--slo", "fast"), "capacity.slo[0]: 'fast' is no objective such as p99<=250ms or errors<=0.1%"),
        (("--workload", "profil"), "workloads[0]: unknown workload 'profil', did you mean 'profile'?"),
        (("--format", "csv"), "unknown format 'csv'"),
        (("gunicorn", "--resume", "x"), "--resume goes on with a search as it began: name nothing else"),
        (
            ("--resume", "x", "--dry-run"),
            "--dry-run: what is left of a search follows from what its trials will tell",
        ),
        (("--resume", "x", "--db", "sqlite"), "--db: --resume goes on as it began"),
        (("--experiment", "quick"), "experiments/quick.toml: it has no [capacity] table"),
    ],
)
def test_what_cannot_be_searched_is_refused(cli, fake, words, said):
    refused = cli("capacity", *words)
    assert said in refused.err
    assert (refused.code, refused.out, fake.shell.calls) == (2, "", [])


def test_an_experiment_that_searches_is_not_run(cli, fake):
    refused = cli("run", "capacity")
    assert refused.err.startswith(
        f"serverlab: {fake.root}/experiments/capacity.toml: it searches for capacity\n"
    )
    assert refused.code == 2


def test_a_workload_that_holds_sockets_cannot_be_searched_with(cli, root):
    write(root, "loadtests/feed/workload.toml", PROFILE + 'needs = ["websocket"]\n')
    refused = cli("capacity", "--workload", "feed")
    assert "workloads[0]: feed holds sockets; only requests can be due at a rate\n" in refused.err
    assert refused.code == 2


def test_a_search_compares_nothing(cli, root):
    text = EXPERIMENT.replace('workloads = ["profile"]', 'workloads = ["profile"]\nreference = "gunicorn"')
    path = write(root, "experiments/wrong.toml", text)
    refused = cli("capacity", "--experiment", str(path))
    assert "reference: where capacity is searched for nothing is compared; leave it out" in refused.err
