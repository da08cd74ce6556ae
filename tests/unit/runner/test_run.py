"""A run: every trial in its planned order, each saved before the next; whatever happens, nothing is left behind."""

import docker.errors
import msgspec
import pytest

from serverlab import store
from serverlab.catalog import make_plan, read_experiment
from serverlab.compose import Cache, Database
from serverlab.errors import EnvironmentLacks, Exit, Interrupted, NotEnoughEvidence, UsageError
from serverlab.lock import only_lab
from serverlab.model.records import ImageFacts, State, Until
from serverlab.runner import resume_run, run, start_run
from serverlab.runner.run import images_of
from tests.checkout import QUICK, write
from tests.fake_lab import a_result, interrupt
from tests.unit.builders import GTHREAD, a_plan, a_workload, an_environment


@pytest.fixture
def plan(fake):
    experiment = read_experiment(fake.root / "experiments/quick.toml", fake.lab.catalog)
    return make_plan(fake.lab.catalog, experiment, name="quick", experiment_hash="e" * 64)


def describe(**changes):
    def description(name, splits):
        return an_environment(run=name, core_splits=dict(splits), **changes)

    return description


def start(fake, plan, **changes):
    return start_run(fake.lab, plan, cores=(0, 1), describe=describe(**changes))


def resume(fake, **changes):
    (path,) = (fake.root / "results/quick").iterdir()
    return resume_run(fake.lab, path, describe=describe(**changes))


def interrupted_at_once(fake, plan):
    fake.trouble["up 1"] = interrupt
    with pytest.raises(Interrupted):
        start(fake, plan)
    fake.trouble.clear()


def saved(fake):
    (path,) = (fake.root / "results/quick").iterdir()
    return store.read_run(path)


def test_every_planned_trial_is_measured_in_its_order_and_saved(fake, plan):
    path = start(fake, plan)
    run_made = store.read_run(path)
    assert path.parent == fake.root / "results/quick"
    assert [trial.planned for trial in run_made.trials] == list(plan.trials)
    assert {trial.state for trial in run_made.trials} == {State.MEASURED}
    assert fake.measured == [each.target for each in plan.trials]
    assert (run_made.plan, run_made.problems) == (plan, ())
    assert fake.client.is_empty


def test_raw_files_lie_beside_the_trials(fake, plan):
    path = start(fake, plan)
    names = {file.name for file in (path / "raw").iterdir()}
    assert names == {
        f"{each.id}.{kind}" for each in plan.trials for kind in ("load.json", "samples.jsonl", "hgrm", "hlog")
    }


def state_packages(fake, **versions):
    """What the app of the stack that just started has installed."""
    fake.app.identity.update(distributions={"gunicorn": "27.0.1", "django": "5.2.19"} | versions)


def states_of(fake, server):
    return [trial.state for trial in saved(fake).trials if trial.planned.target.startswith(server)]


def test_each_list_of_packages_is_kept_once_and_every_trial_names_its_own(fake, plan):
    path = start(fake, plan)
    kept = store.read_packages(path)
    assert list(kept.lists.values()) == [{"gunicorn": "27.0.1", "django": "5.2.19"}]
    (digest,) = kept.lists
    assert kept.by_server == {"gunicorn": digest, "runserver": digest}
    assert {trial.proof_after.identity["packages"] for trial in saved(fake).trials} == {digest}
    assert saved(fake).problems == ()


def test_a_trial_with_other_packages_than_the_first_of_its_server_is_void_also_when_the_run_is_resumed(
    fake, plan
):
    fake.trouble["up 3"] = interrupt
    with pytest.raises(Interrupted):
        start(fake, plan)
    fake.trouble.clear()
    third, fourth = (each.target.split(":")[0] for each in plan.trials[2:])
    fake.trouble["up 4"] = lambda: state_packages(fake, django="5.2.20")
    resume(fake)
    assert states_of(fake, third) == [State.MEASURED, State.VOID]
    assert states_of(fake, fourth) == [State.MEASURED, State.MEASURED]
    void = next(trial for trial in saved(fake).trials if trial.state is State.VOID)
    assert void.void_reasons == (
        (
            "other packages than in the run's earlier trials of this server: django 5.2.20 instead of 5.2.19; "
            "start a new run"
        ),
    )
    (path,) = (fake.root / "results/quick").iterdir()
    kept = store.read_packages(path)
    assert kept.lists[void.proof_before.identity["packages"]]["django"] == "5.2.20"
    assert kept.of(third)["django"] == "5.2.19"


def test_what_a_void_trial_has_installed_binds_no_other_trial(fake, plan):
    def go_wrong():
        state_packages(fake, django="4.2")
        fake.app.statuses.update({"/healthz": 500})

    fake.trouble["up 1"] = go_wrong
    fake.trouble["up 2"] = fake.app.statuses.clear
    path = start(fake, plan)
    assert [trial.state for trial in saved(fake).trials] == [State.VOID, *[State.MEASURED] * 3]
    kept = store.read_packages(path)
    assert sorted(packages["django"] for packages in kept.lists.values()) == ["4.2", "5.2.19"]
    assert {kept.of(server)["django"] for server in kept.by_server} == {"5.2.19"}


def test_a_measured_trial_is_a_line_of_less_than_4_kib(fake, plan):
    path = start(fake, plan)
    lines = (path / "trials.jsonl").read_bytes().splitlines()
    assert len(lines) == len(plan.trials)
    assert [len(line) for line in lines if len(line) >= 4096] == []


def test_every_trial_is_named_with_what_is_left_and_what_came_out(fake, plan):
    start(fake, plan)
    first = plan.trials[0]
    assert fake.said[0] == f"trial 1/4 · round 1 · {first.target} · profile · 1 CPU · 1:09 left"
    assert fake.said[1].endswith(" requests/s, 0 errors")
    assert len(fake.said) == 8


def test_each_trial_is_on_disk_before_the_next_one_begins(fake, plan):
    lines = []
    for number in (1, 2, 3):
        fake.trouble[f"up {number}"] = lambda: lines.append(len(saved(fake).trials))
    start(fake, plan)
    assert lines == [0, 1, 2]


def test_the_stack_gets_the_first_core_and_the_generator_the_other(fake, plan):
    start(fake, plan)
    given = fake.shell.environments[0]
    assert (given["LAB_CPUSET"], given["LAB_LOAD_CPUSET"]) == ("0", "1")
    assert saved(fake).environment.core_splits["1"].disjoint


def test_a_budget_that_the_machine_has_not_got_is_refused_before_anything_is_started(fake, plan):
    with pytest.raises(UsageError, match="A budget of 1 cores cannot be given"):
        start_run(fake.lab, plan, cores=(), describe=describe())
    assert fake.shell.calls == []
    assert not (fake.root / "results").exists()


@pytest.mark.parametrize("moment", ["up 3", "load 3", "window 3", "measured 3"])
def test_ctrl_c_keeps_what_was_measured_and_leaves_nothing_behind(fake, plan, moment):
    fake.trouble[moment] = interrupt
    with pytest.raises(Interrupted) as stopped:
        start(fake, plan)
    made = saved(fake)
    assert stopped.value.exit_code is Exit.INTERRUPTED
    assert stopped.value.what.startswith("stopped; 2 trials of this run are saved in ")
    assert stopped.value.hint == f"Go on with: serverlab run --resume {made.name}"
    assert [trial.planned for trial in made.trials] == list(plan.trials[:2])
    assert fake.client.is_empty
    with only_lab(fake.lab.lock):
        pass


def test_a_resumed_run_measures_exactly_what_is_missing(fake, plan):
    fake.trouble["window 3"] = interrupt
    with pytest.raises(Interrupted):
        start(fake, plan)
    before = saved(fake).trials
    fake.trouble.clear()
    fake.measured.clear()
    fake.said.clear()
    resume(fake)
    after = saved(fake)
    assert fake.measured == [each.target for each in plan.trials[2:]]
    assert after.trials[:2] == before
    assert [trial.planned for trial in after.trials] == list(plan.trials)
    assert fake.said[0].startswith("trial 1/2 · round ")


def test_ctrl_c_in_a_run_that_is_gone_on_with_counts_what_was_saved_before(fake, plan):
    fake.trouble["window 3"] = interrupt
    with pytest.raises(Interrupted):
        start(fake, plan)
    fake.trouble = {"window 5": interrupt}
    with pytest.raises(Interrupted, match="stopped; 3 trials of this run are saved in "):
        resume(fake)


def test_a_line_that_was_cut_short_is_told_and_measured_again(fake, plan):
    path = start(fake, plan)
    text = (path / "trials.jsonl").read_text()
    (path / "trials.jsonl").write_text(text[:-200])
    fake.measured.clear()
    fake.said.clear()
    resume(fake)
    assert fake.said[0].startswith(
        f"{path.parent.name}/{path.name}/trials.jsonl, line 4: cut short or damaged"
    )
    assert fake.measured == [plan.trials[3].target]
    assert [trial.planned for trial in saved(fake).trials] == list(plan.trials)


def test_a_run_that_is_complete_needs_no_further_trial(fake, plan):
    start(fake, plan)
    fake.measured.clear()
    resume(fake)
    assert fake.measured == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"kernel": "6.2.0", "cores": 4}, "kernel, cores"),
        ({"images": {"gunicorn": ImageFacts(id="sha256:2", size_bytes=1)}}, "images"),
        ({"database": "postgres"}, "database"),
        ({"lab_version": "9.9"}, "lab_version"),
    ],
)
def test_a_run_is_not_resumed_where_its_trials_would_be_unlike(fake, plan, changes, named):
    interrupted_at_once(fake, plan)
    calls = len(fake.shell.calls)
    with pytest.raises(UsageError) as refused:
        resume(fake, **changes)
    assert (
        refused.value.what
        == f"run {saved(fake).environment.run} cannot be resumed: {named} changed since it began"
    )
    assert len(fake.shell.calls) == calls


def test_a_run_is_not_resumed_when_what_it_measures_has_changed(fake, plan):
    interrupted_at_once(fake, plan)
    served = fake.root / "deploy" / "gunicorn" / "server.toml"
    served.write_text(served.read_text() + "# changed\n")
    with pytest.raises(UsageError) as refused:
        resume(fake)
    assert "server/gunicorn changed since it began" in refused.value.what


def test_a_run_is_resumed_after_a_commit_that_changes_nothing_it_measures(fake, plan):
    interrupted_at_once(fake, plan)
    resume(fake, commit="f" * 40, dirty=True)
    assert len(saved(fake).trials) == len(plan.trials)


def test_a_run_of_which_every_trial_is_void_gives_no_evidence(fake, plan):
    for number in range(1, 5):
        fake.trouble[f"up {number}"] = lambda: fake.app.statuses.update({"/healthz": 500})
    with pytest.raises(NotEnoughEvidence) as nothing:
        start(fake, plan)
    assert nothing.value.exit_code is Exit.NOT_ENOUGH_EVIDENCE
    assert nothing.value.what == (
        "every trial was VOID, the last one: proof before the measurement failed: /healthz: status 500, expected 200; "
        "look closer with `serverlab up`, which makes the same checks"
    )
    assert len(saved(fake).trials) == 4
    assert fake.said[1].startswith("    VOID: proof before the measurement failed")


def test_a_void_trial_does_not_stop_the_run(fake, plan):
    fake.trouble["up 1"] = lambda: fake.app.statuses.update({"/healthz": 500})
    fake.trouble["up 2"] = fake.app.statuses.clear
    start(fake, plan)
    assert [trial.state for trial in saved(fake).trials] == [State.VOID, *[State.MEASURED] * 3]


def test_without_room_on_the_disk_nothing_is_measured_and_the_run_can_be_resumed(fake, plan, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(run, "NEEDED_BYTES", 1 << 80)
        with pytest.raises(EnvironmentLacks, match="MiB are free, a run needs") as full:
            start(fake, plan)
    assert full.value.hint.startswith("What was measured is saved. Make room")
    assert fake.shell.calls == []
    resume(fake)
    assert len(saved(fake).trials) == 4


def test_a_disk_that_refuses_a_trial_ends_the_run_with_what_was_saved(fake, plan):
    def lose_the_folder():
        (path,) = (fake.root / "results/quick").iterdir()
        for file in (path / "raw").iterdir():
            file.unlink()
        (path / "raw").rmdir()
        (path / "raw").touch()

    fake.trouble["up 3"] = lose_the_folder
    with pytest.raises(EnvironmentLacks, match="cannot be written"):
        start(fake, plan)
    assert len(saved(fake).trials) == 2  # the third has no line without what explains it
    assert fake.client.is_empty


def test_an_engine_that_stops_answering_ends_the_run_with_what_was_saved(fake, plan):
    def stop_answering():
        raise docker.errors.APIError("500 Server Error")

    fake.trouble["up 3"] = stop_answering
    with pytest.raises(EnvironmentLacks, match="no longer answers") as ended:
        start(fake, plan)
    assert "2 trials are saved" in ended.value.hint
    assert len(saved(fake).trials) == 2


def removing_nothing(fake, *, then):
    """The engine lists no container any more, and then that happens."""

    def gone(**_options):
        raise docker.errors.APIError("500 Server Error")

    def happens():
        fake.client.containers.list = gone
        then()

    return happens


def test_an_engine_that_removes_nothing_in_the_end_is_told_and_the_trials_are_saved(fake, plan):
    fake.trouble["ceiling"] = removing_nothing(fake, then=lambda: None)
    with pytest.raises(EnvironmentLacks, match="no longer answers as it should: 500 Server Error") as ended:
        start(fake, plan)
    assert (
        ended.value.hint
        == f"1 trials are saved. When it runs again: serverlab run --resume {saved(fake).name}"
    )


def test_ctrl_c_stays_ctrl_c_where_nothing_can_be_removed(fake, plan):
    fake.trouble["up 3"] = removing_nothing(fake, then=interrupt)
    with pytest.raises(Interrupted, match="stopped; 2 trials of this run are saved"):
        start(fake, plan)
    assert fake.said[-1] == (
        "not all that is ours could be removed, the next start tries again: 500 Server Error"
    )


def test_an_engine_that_does_not_answer_when_a_run_begins_is_told(fake, plan):
    removing_nothing(fake, then=lambda: None)()
    with pytest.raises(EnvironmentLacks, match="no longer answers") as refused:
        start(fake, plan)
    assert refused.value.hint.startswith("Nothing was begun")
    assert fake.shell.calls == []


def test_a_second_lab_is_refused(fake, plan):
    lab = fake.lab
    with only_lab(lab.lock), pytest.raises(EnvironmentLacks, match="another lab is at work"):
        start(fake, plan)
    assert fake.shell.calls == []


@pytest.mark.parametrize("label", ["up", "by-hand"])
def test_a_stack_that_a_person_started_is_not_touched(fake, plan, label):
    fake.client.add("app", run=label)
    with pytest.raises(EnvironmentLacks) as refused:
        start(fake, plan)
    assert (refused.value.what, refused.value.hint) == (
        "a stack is up; one stack at a time",
        "`make down` stops it, `make ps` shows it.",
    )
    assert fake.client.removed == []


def test_what_a_killed_run_left_behind_is_removed_and_told(fake, plan):
    fake.client.add("app", run="quick-20260101-000000")
    start(fake, plan)
    assert fake.said[0] == "removed what an earlier run left behind: serverlab-app-1"
    assert fake.client.removed[0] == "serverlab-app-1"


def test_only_images_that_the_trials_use_belong_to_a_run():
    facts = {
        name: ImageFacts(id=name, size_bytes=1)
        for name in ("app", "load", "gunicorn", "uwsgi", "nginx", "postgres")
    }
    plan = a_plan(targets=("gunicorn:gthread",))
    always = ["app", "gunicorn", "load", "nginx"]  # nginx is what the generator's ceiling is measured with
    assert sorted(images_of(facts, plan, Database.SQLITE)) == always
    assert sorted(images_of(facts, plan, Database.POSTGRES)) == [*always, "postgres"]


def test_a_plan_with_an_edge_uses_its_image():
    facts = {name: ImageFacts(id=name, size_bytes=1) for name in ("gunicorn", "uwsgi", "other")}
    behind = a_plan(targets=("gunicorn:gthread+other",))
    assert sorted(images_of(facts, behind, Database.SQLITE)) == ["gunicorn", "other"]


def test_redis_is_among_the_images_where_the_run_or_one_of_its_workloads_keeps_things_there():
    facts = {name: ImageFacts(id=name, size_bytes=1) for name in ("redis", "gunicorn", "uwsgi")}
    plain = a_plan(targets=(GTHREAD,))
    asking = a_plan(targets=(GTHREAD,), workload=a_workload(cache="redis"))
    assert sorted(images_of(facts, plain, Database.SQLITE)) == ["gunicorn"]
    assert sorted(images_of(facts, plain, Database.SQLITE, Cache.REDIS)) == ["gunicorn", "redis"]
    assert sorted(images_of(facts, asking, Database.SQLITE)) == ["gunicorn", "redis"]


def test_cells_that_are_not_applicable_are_never_tried(fake):
    text = QUICK.replace("profile", "static").replace("runserver", "gunicorn+nginx")
    write(fake.root, "experiments/files.toml", text)
    experiment = read_experiment(fake.root / "experiments/files.toml", fake.lab.catalog)
    plan = make_plan(fake.lab.catalog, experiment, name="files", experiment_hash="")
    path = start(fake, plan)
    assert {trial.planned.target for trial in store.read_run(path).trials} == {"gunicorn:gthread+nginx"}


def until(column="ratio", *, within=0.05, minutes=60.0):
    return Until(column=column, within=within, budget_s=minutes * 60)


def growing(plan, rule=None):
    return msgspec.structs.replace(plan, until=rule or until())


@pytest.fixture
def steady(fake):
    """A lab whose every window has the same requests per second, however short it is."""
    fake.result = lambda _given, start, end: a_result(start, end, ok=max(1, round((end - start) * 1e9)))
    return fake


def test_rounds_are_added_until_every_row_is_as_precise_as_asked(steady, plan):
    start(steady, growing(plan))
    made = saved(steady)
    assert {trial.planned.round for trial in made.trials} == set(range(1, 9))
    assert made.plan.experiment.rounds == 8
    assert [trial.planned for trial in made.trials] == list(made.plan.trials)
    assert made.plan.trials[:4] == plan.trials
    assert steady.said[-1] == "rounds added until ratio ±5% or 60 min of trials: reached after 8 rounds"
    assert "round 3 is added: 1 row not yet within ratio ±5%" in steady.said


def test_a_round_that_would_exceed_the_budget_is_not_added_and_the_wide_rows_are_named(steady, plan):
    start(steady, growing(plan, until(minutes=0.0001)))
    assert len(saved(steady).trials) == 4
    assert steady.said[-1] == (
        "rounds added until ratio ±5% or 0.0001 min of trials: not reached in 2 rounds: "
        "runserver:threaded, profile, 1 core: no interval"
    )


@pytest.mark.parametrize("moment", ["up 7", "measured 8"])
def test_a_run_that_was_stopped_in_an_added_round_goes_on_by_its_own_rule(steady, plan, moment):
    steady.trouble[moment] = interrupt
    with pytest.raises(Interrupted):
        start(steady, growing(plan))
    before = saved(steady)
    assert before.plan.experiment.rounds == 4
    steady.trouble.clear()
    resume(steady)
    after = saved(steady)
    assert after.plan.experiment.rounds == 8
    assert after.trials[: len(before.trials)] == before.trials
    assert len(after.trials) == 16


def test_another_rule_can_be_given_when_a_run_goes_on(steady, plan):
    path = start(steady, plan)
    resume_run(steady.lab, path, describe=describe(), until=until(within=0.5))
    assert saved(steady).plan.until == until(within=0.5)
    assert saved(steady).plan.experiment.rounds == 8
