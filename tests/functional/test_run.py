"""`run`, from an experiment's file to its table, over an engine without containers."""

import json
import re

import pytest

from serverlab import store
from serverlab.errors import EnvironmentLacks
from serverlab.lock import only_lab
from serverlab.model.records import State
from tests.checkout import QUICK, write
from tests.fake_lab import COMPOSE, a_result, interrupt
from tests.fakes import ABSENT, Answer

PLAN = """\
How do they compare?
  1  runserver:threaded  profile  1 CPU
  1  gunicorn:gthread  profile  1 CPU
  2  gunicorn:gthread  profile  1 CPU
  2  runserver:threaded  profile  1 CPU
4 trials, about 1 minutes
"""


def runs(fake):
    return sorted((fake.root / "results/quick").iterdir())


@pytest.mark.parametrize("name", ["quick", "experiments/quick.toml"])
def test_a_dry_run_prints_the_plan_and_touches_nothing(cli, fake, monkeypatch, name):
    monkeypatch.chdir(fake.root)
    planned = cli("run", name, "--dry-run")
    assert sorted(planned.out.splitlines()) == sorted(PLAN.splitlines())
    assert [line[:3] for line in planned.out.splitlines()[1:5]] == ["  1", "  1", "  2", "  2"]
    assert (planned.code, planned.err, fake.shell.calls) == (0, "", [])
    assert not (fake.root / "results").exists()


def test_a_machine_reads_the_plan_and_the_estimate(cli):
    planned = json.loads(cli("run", "quick", "--dry-run", "--json").out)
    assert planned["estimated_s"] == 64.0 + 5.0  # and the generator's ceiling
    assert planned["plan"]["name"] == "quick"
    assert len(planned["plan"]["trials"]) == 4


def test_targets_and_rounds_can_be_chosen(cli):
    planned = cli("run", "quick", "--dry-run", "--targets", "uwsgi daphne+nginx", "--rounds", "1").out
    assert sorted(planned.splitlines()[1:3]) == [
        "  1  daphne:production+nginx  profile  1 CPU",
        "  1  uwsgi:http  profile  1 CPU",
    ]


def test_a_target_that_is_named_twice_is_measured_once(cli):
    planned = cli("run", "quick", "--dry-run", "--targets", "uwsgi uwsgi:http", "--rounds", "1").out
    measured = [line for line in planned.splitlines() if "profile" in line and "control" not in line]
    assert measured == ["  1  uwsgi:http  profile  1 CPU"]


def test_targets_of_which_there_are_none_are_refused(cli):
    refused = cli("run", "quick", "--dry-run", "--targets", " ")
    assert (refused.code, refused.err) == (
        2,
        "serverlab: --targets names none\nLeave it out, or say for example --targets 'gunicorn uwsgi'.\n",
    )


def test_what_cannot_be_applied_is_told_in_the_plan(cli, root):
    write(
        root,
        "experiments/files.toml",
        QUICK.replace("profile", "static").replace("runserver", "gunicorn+nginx"),
    )
    assert "n/a  gunicorn:gthread static: lacks static\n" in cli("run", "files", "--dry-run").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("run", "quik"),
            "experiment {root}/experiments/quik.toml: no such file, did you mean 'quick'?\nShipped: quick\n",
        ),
        (
            ("run", "quick", "--targets", "gunicorn:gtread"),
            "'gunicorn:gtread': unknown variant of gunicorn 'gtread', did you mean 'gthread'?\nKnown: sync, gthread\n",
        ),
        (
            ("run", "--resume", "quick/20260101-000000"),
            "quick/20260101-000000: no run there\n`serverlab run experiments/quick.toml` makes one.\n",
        ),
    ],
)
def test_a_name_that_stands_for_nothing_is_refused(cli, fake, words, said):
    refused = cli(*words)
    assert refused.err == f"serverlab: {said.format(root=fake.root)}"
    assert (refused.code, refused.out, fake.shell.calls) == (2, "", [])


def test_a_broken_experiment_is_refused_with_all_of_its_mistakes(cli, root):
    path = write(
        root,
        "experiments/wrong.toml",
        QUICK.replace("runserver", "runsever").replace('"profile"', '"profil"'),
    )
    refused = cli("run", str(path))
    assert refused.err == (
        f"serverlab: {path}: targets[1]: unknown server 'runsever', did you mean 'runserver'?\n"
        f"{path}: workloads[0]: unknown workload 'profil', did you mean 'profile'?\n"
        "`serverlab check` reads all files again.\n"
    )
    assert refused.code == 2


def test_an_experiment_in_broken_toml_is_refused_with_the_line(cli, root):
    path = write(root, "experiments/wrong.toml", QUICK.replace('"Quick"', '"Quick'))
    refused = cli("run", str(path))
    assert refused.err.startswith(
        f"serverlab: {path}: not valid TOML: Illegal character '\\n' (at line 2, column "
    )
    assert refused.code == 2


def test_a_run_prints_its_table_and_says_where_the_results_lie(cli, fake):
    done = cli("run", "quick")
    (path,) = runs(fake)
    assert done.code == 0
    assert "gunicorn:gthread" in done.out
    assert "runserver:threaded" in done.out
    assert "trial 4/4 · round 2 · " in done.err
    assert done.err.endswith(f"results: {path} (table.json, table.csv, table.md)\n")
    assert {"plan.json", "environment.json", "trials.jsonl", "raw", "table.md"} <= {
        each.name for each in path.iterdir()
    }
    assert fake.client.is_empty


def test_progress_names_each_step_on_standard_error_only(cli):
    done = cli("run", "quick", "--rounds", "1")
    for step in (
        r"image 1/3 app: building \.\.\.",
        r"trial 1/2 · .* · 0:37 left",
        r"    \d+ requests/s, 0 errors",
    ):
        assert re.search(step, done.err), step
        assert not re.search(step, done.out), step


def test_a_machine_reads_the_table(cli):
    table = json.loads(cli("run", "quick", "--rounds", "1", "--json").out)
    assert table["title"] == "Quick"
    assert {row["target"] for row in table["sections"][0]["rows"]} == {
        "gunicorn:gthread",
        "runserver:threaded",
    }


def test_the_run_states_what_it_was_made_with(cli, fake):
    cli("run", "quick", "--rounds", "1")
    environment = json.loads((runs(fake)[0] / "environment.json").read_text())
    assert (environment["commit"], environment["dirty"], environment["compose"]) == (
        "a" * 40,
        False,
        "2.26.1",
    )
    assert environment["images"] == {
        name: {"id": f"sha256:{name}", "size_bytes": 1000} for name in ("app", "gunicorn", "load")
    }
    plan = json.loads((runs(fake)[0] / "plan.json").read_text())
    assert (environment["seed"], environment["hashes"]) == (7, plan["hashes"])
    assert {"experiment", "workload/profile", "workload/shared", "server/gunicorn", "app", "lab"} <= set(
        environment["hashes"]
    )


def test_no_part_of_the_provenance_is_left_open(cli, fake):
    cli("run", "quick", "--rounds", "1")
    environment = json.loads((runs(fake)[0] / "environment.json").read_text())
    absent = {key for key, value in environment.items() if value in (None, "", {}, [])}
    assert absent <= {
        "notes",
        "clock_source",
    }  # nothing to note; known only where the engine is on this machine


def test_ctrl_c_keeps_what_was_measured_and_tells_how_to_go_on(cli, fake):
    fake.trouble["window 3"] = interrupt
    stopped = cli("run", "quick")
    (path,) = runs(fake)
    assert (stopped.code, stopped.out) == (4, "")
    assert stopped.err.endswith(
        f"serverlab: stopped; 2 trials of this run are saved in {path}\n"
        f"Go on with: serverlab run --resume quick/{path.name}\n"
    )
    assert fake.client.is_empty
    fake.trouble.clear()
    resumed = cli("run", "--resume", f"quick/{path.name}")
    assert resumed.code == 0
    assert "trial 2/2 · " in resumed.err
    assert "gunicorn:gthread" in resumed.out
    assert runs(fake) == [path]


def test_a_dry_run_of_a_run_that_is_resumed_shows_what_is_left_and_measures_nothing(cli, fake):
    fake.trouble["window 3"] = interrupt
    cli("run", "quick")
    (path,) = runs(fake)
    calls = list(fake.shell.calls)
    left = cli("run", "--resume", f"quick/{path.name}", "--dry-run", "--until", "rps ±5%")
    lines = left.out.splitlines()
    assert (left.code, left.err, fake.shell.calls) == (0, "", calls)
    assert [line[:3] for line in lines[1:3]] == ["  2", "  2"]
    assert lines[3].startswith("2 trials, about ")
    assert lines[4:] == ["rounds are added until rps ±5%"]
    assert len((path / "trials.jsonl").read_text().splitlines()) == 2
    told = json.loads(cli("run", "--resume", f"quick/{path.name}", "--dry-run", "--json").out)
    assert len(told["plan"]["trials"]) == 2


def test_a_run_of_nothing_but_void_trials_has_an_exit_code_of_its_own(cli, fake):
    for number in (1, 2):
        fake.trouble[f"up {number}"] = lambda: setattr(fake.app, "server_header", "daphne")
    done = cli("run", "quick", "--rounds", "1")
    assert (done.code, done.out) == (5, "")
    assert (
        "serverlab: every trial was VOID, the last one: proof before the measurement failed: Server header"
        in done.err
    )
    assert done.err.endswith(f"See {runs(fake)[0]}\n")


def test_an_image_that_cannot_be_built_is_told_with_the_last_lines_of_its_log(cli, fake):
    log = "\n".join([f"#9 step {number}" for number in range(60)] + ["ERROR: no matching distribution"])
    fake.shell.script["docker buildx build"] = Answer(stderr=log, returncode=1)
    failed = cli("run", "quick")
    assert failed.out == ""
    assert failed.code == 3
    message = failed.err.split("serverlab: ")[1].splitlines()
    assert message[0] == "The image app (app/Dockerfile) could not be built: failed with exit code 1"
    assert message[1:-1] == [
        *(f"  | #9 step {number}" for number in range(11, 60)),
        "  | ERROR: no matching distribution",
    ]
    assert message[-1] == f"The whole log is {fake.root}/results/logs/build-app.log."
    assert (fake.root / "results/logs/build-app.log").read_text() == log + "\n"


BUILD_OF_GUNICORN = "docker buildx build --builder=default --load --progress=plain --file=deploy/gunicorn"


def test_a_server_that_cannot_be_built_is_void_with_the_log_and_the_others_are_measured(cli, fake):
    fake.shell.script[BUILD_OF_GUNICORN] = Answer(stderr="#9 compiling\n#9 ERROR: no gcc\n", returncode=1)
    ended = cli("run", "quick")
    assert ended.code == 3
    assert ended.err.endswith(
        "serverlab: VOID, because their images could not be built: gunicorn\n"
        "The logs are in results/logs; mend what they tell, then start a new run.\n"
    )
    run = store.read_run(runs(fake)[0])
    void = [trial for trial in run.trials if trial.state is State.VOID]
    assert {(trial.planned.target, trial.void_reasons, trial.log_tail) for trial in void} == {
        (
            "gunicorn:gthread",
            (
                (
                    "The image gunicorn (deploy/gunicorn/Dockerfile) could not be built: failed with exit code 1; "
                    "mend what results/logs/build-gunicorn.log tells, then start a new run"
                ),
            ),
            ("#9 compiling", "#9 ERROR: no gcc"),
        )
    }
    assert fake.measured == ["runserver:threaded"] * 2
    assert "VOID: gunicorn:gthread, rounds 1–2: The image gunicorn" in ended.out
    assert "runserver:threaded" in ended.out


def test_where_the_only_server_cannot_be_built_the_environment_lacks_it(cli, fake):
    fake.shell.script[BUILD_OF_GUNICORN] = Answer(stderr="#9 ERROR: no gcc\n", returncode=1)
    ended = cli("run", "quick", "--targets", "gunicorn")
    assert (ended.code, ended.out) == (3, "")
    assert "serverlab: VOID, because their images could not be built: gunicorn\n" in ended.err


def test_with_fail_fast_nothing_is_measured_where_an_image_cannot_be_built(cli, fake):
    fake.shell.script[BUILD_OF_GUNICORN] = Answer(stderr="#9 ERROR: no gcc\n", returncode=1)
    ended = cli("run", "quick", "--fail-fast")
    assert (ended.code, ended.out, fake.measured) == (3, "", [])
    assert not (fake.root / "results/quick").exists()


def test_without_an_engine_nothing_is_pulled_or_built(cli, context, fake):
    def connect(_shell):
        raise EnvironmentLacks("the container engine does not answer", "Run `make engine`.")

    context.connect = connect
    refused = cli("run", "quick")
    assert (refused.code, refused.out) == (3, "")
    assert refused.err == "serverlab: the container engine does not answer\nRun `make engine`.\n"
    assert fake.shell.calls == []


def test_a_second_lab_is_refused_clearly(cli, context):
    with only_lab(context.lock):
        refused = cli("run", "quick")
    assert (refused.code, refused.out) == (3, "")
    assert "serverlab: another lab is at work on this machine (process " in refused.err
    assert refused.err.endswith("Wait for it to end, or stop it: two labs would measure each other.\n")


def test_a_stack_that_is_up_is_not_taken_down(cli, fake):
    fake.client.add("app", run="up")
    refused = cli("run", "quick")
    assert refused.code == 3
    assert refused.err.endswith(
        "serverlab: a stack is up; one stack at a time\n`make down` stops it, `make ps` shows it.\n"
    )
    assert fake.client.removed == []


def test_a_missing_git_does_not_stop_a_run(cli, fake):
    fake.shell.script["git rev-parse HEAD"] = ABSENT
    assert cli("run", "quick", "--rounds", "1").code == 0
    environment = json.loads((runs(fake)[0] / "environment.json").read_text())
    assert (environment["commit"], environment["dirty"]) == (None, None)


def test_a_run_has_the_cache_that_is_asked_for(cli, fake):
    assert cli("run", "quick", "--rounds", "1", "--cache", "redis").code == 0
    calls = [call for call in fake.shell.calls if call.startswith(COMPOSE)]
    started = [call for call in calls if "/compose/null.yml" not in call]
    assert started
    assert all("/compose/redis.yml" in call for call in started)
    (run,) = runs(fake)
    assert json.loads((run / "environment.json").read_text(encoding="utf-8"))["cache"] == "redis"


def test_rounds_are_added_until_the_table_is_precise_enough(cli, fake):
    fake.result = lambda _given, start, end: a_result(start, end, ok=max(1, round((end - start) * 1e9)))
    done = cli("run", "quick", "--until", "rps ±5%", "--budget", "2h")
    assert done.code == 0
    said = " ".join(done.out.split())
    assert "Rounds added until rps ±5% or 120 min of trials: reached after 8 rounds " in said
    assert "trial 2/2 · round 8 · " in done.err


def test_a_table_that_did_not_get_precise_enough_is_printed_and_has_an_exit_code_of_its_own(cli, fake):
    done = cli("run", "quick", "--until", "ratio ±5%", "--budget", "0.001s")
    (path,) = runs(fake)
    assert done.code == 5
    said = " ".join(done.out.split())
    assert "not reached in 2 rounds: runserver:threaded, profile, 1 core: no interval" in said
    assert done.err.endswith(
        "serverlab: the budget is spent and not every row is within ratio ±5%\n"
        f"Go on with: serverlab run --resume quick/{path.name} --until 'ratio ±5%' --budget TIME\n"
    )


def test_a_dry_run_says_that_rounds_are_added(cli):
    assert cli("run", "quick", "--dry-run", "--until", "ratio ±5%").out.endswith(
        "\nrounds are added until ratio ±5%\n"
    )


@pytest.mark.parametrize("extra", [["--dry-run"], []])
def test_a_budget_that_no_interval_can_be_narrow_in_is_told_before_it_is_spent(cli, extra):
    done = cli("run", "quick", "--until", "ratio ±5%", "--budget", "6s", *extra)
    words = " ".join(f"{done.out} {done.err}".split())
    assert (
        "the budget of 0.1 min will be spent before: an interval counts as narrow from 8 rounds on, which take about "
    ) in words
    assert (
        "spent before" not in cli("run", "quick", "--until", "ratio ±5%", "--budget", "9h", "--dry-run").out
    )


def test_a_control_is_named_in_the_plan(cli, root):
    write(root, "experiments/quick.toml", QUICK.replace("control = false", "control = true"))
    lines = cli("run", "quick", "--dry-run", "--rounds", "1").out.splitlines()[1:]
    assert sorted(lines) == [
        "  1  gunicorn:gthread  profile  1 CPU",
        "  1  gunicorn:gthread  profile  1 CPU  control",
        "  1  runserver:threaded  profile  1 CPU",
        "3 trials, about 1 minutes",
    ]


def test_precision_cannot_be_asked_of_what_a_schedule_makes(cli, root):
    write(
        root,
        "experiments/due.toml",
        QUICK + '\n[load]\narrival = "open"\nrate = 50.0\nspacing = "constant"\n',
    )
    refused = cli("run", "due", "--dry-run", "--until", "ratio ±5%")
    assert refused.code == 2
    assert refused.err.startswith(
        "serverlab: --until ratio ±5%: the requests/s of profile are those of its schedule"
    )
