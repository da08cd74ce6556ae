"""One trial on fresh containers, from start to removal."""

import json
import time
from itertools import chain, repeat
from threading import Event, current_thread, main_thread

import pytest

from serverlab import held
from serverlab.compose import Engine
from serverlab.model.records import Inspection, State
from serverlab.probe import digest_of
from serverlab.seeding import SEEDED
from tests.fake_engine import plain_stats, refuse
from tests.fake_lab import interrupt
from tests.unit.builders import GTHREAD, planned


def test_a_measured_trial_holds_everything_that_was_recorded(trial, fake):
    made, _ = trial()
    assert (made.state, made.void_reasons, made.log_tail) == (State.MEASURED, (), ())
    assert made.planned == planned(GTHREAD)
    assert (made.load.ok, made.load.latency.p50_us) == (100, 50)
    assert sorted(made.usage) == ["app", "load"]
    assert made.usage["app"].cpu_s == 0.0
    assert made.proof_before.ok
    assert made.proof_after.ok
    assert (made.image_bytes, made.replicas, made.steal_share) == (300, 1, 0.0)
    assert made.wall_s > 0
    assert made.ready_s is not None
    assert made.load.inspections == {
        "GET /api/auth/jwt/me/": Inspection(request_bytes=500, response_bytes=300, queries=1)
    }
    assert fake.client.is_empty


def test_the_stack_is_set_as_the_workload_wants_it_and_has_to_prove_it(trial, fake):
    made, _ = trial(app={"LAB_SESSION_STORE": "cache"}, cache="redis", parameters={"way": "session"})
    assert made.state is State.MEASURED
    assert [made.proof_before.identity[key] for key in ("session_store", "cache")] == ["cache", "redis"]
    assert json.loads(fake.shell.environments[-1]["LAB_LOAD_PARAMETERS"]) == {"way": "session"}


def test_a_stack_that_is_not_set_as_the_workload_wants_it_is_not_measured(trial, fake):
    fake.trouble["up 1"] = lambda: fake.app.identity.update(session_store="database")
    made, _ = trial(app={"LAB_SESSION_STORE": "cache"}, cache="redis")
    assert (made.state, made.load) == (State.VOID, None)
    assert made.void_reasons == (
        (
            "proof before the measurement failed: identity: session_store: database, expected cache; look closer with "
            "`serverlab up`, which makes the same checks"
        ),
    )


def test_with_the_real_hasher_the_seeded_passwords_are_stored_anew(trial, fake):
    trial()
    assert not any("seed" in argv for argv in fake.client.executed)
    trial(app={"LAB_CHEAP_HASHER": "off"})
    assert ["/venv/bin/python", "/app/manage.py", "seed"] in fake.client.executed


INSTALLED = {"gunicorn": "27.0.1", "django": "5.2.19"}


def test_the_packages_lie_beside_the_trial_under_the_digest_that_both_proofs_name(make):
    made = make(packages=INSTALLED)
    assert made.trial.void_reasons == ()
    assert made.packages == {digest_of(INSTALLED): INSTALLED}
    proofs = (made.trial.proof_before, made.trial.proof_after)
    assert [proof.identity["packages"] for proof in proofs] == [digest_of(INSTALLED)] * 2


def test_a_trial_with_other_packages_than_earlier_ones_is_void(make):
    made = make(packages={"gunicorn": "27.0.1", "django": "5.2.18", "uvloop": "0.22"})
    changes = "django 5.2.19 instead of 5.2.18, uvloop absent instead of 0.22"
    assert made.trial.void_reasons == (
        f"other packages than in the run's earlier trials of this server: {changes}; start a new run",
    )
    assert made.packages == {digest_of(INSTALLED): INSTALLED}


def test_packages_that_change_while_they_are_measured_make_the_trial_void_and_both_lists_are_kept(make, fake):
    changed = {"gunicorn": "27.0.1", "django": "5.2.20"}
    fake.trouble["measured 1"] = lambda: fake.app.identity.update(distributions=changed)
    made = make()
    assert made.trial.void_reasons == (
        (
            "the packages changed while it was measured: django 5.2.20 instead of 5.2.19; "
            "see who installed something in the container"
        ),
    )
    assert made.packages == {digest_of(INSTALLED): INSTALLED, digest_of(changed): changed}


def test_raw_files_hold_the_generators_own_words_and_every_sample(trial):
    _, raw = trial()
    assert sorted(raw) == ["hgrm", "hlog", "load.json", "samples.jsonl"]
    assert json.loads(raw["load.json"])["ok_ended"] == 100
    assert {json.loads(line)["role"] for line in raw["samples.jsonl"].splitlines()} == {"app", "load"}


def test_behind_an_edge_its_usage_is_kept_apart(trial):
    made, _ = trial("gunicorn:gthread+nginx")
    assert made.state is State.MEASURED
    assert sorted(made.usage) == ["app", "edge", "load"]


def test_replicas_follow_the_budget(trial, fake):
    made, _ = trial("daphne:replicated+nginx", cpus=2)
    assert (made.state, made.replicas) == (State.MEASURED, 2)
    assert fake.shell.environments[0]["LAB_REPLICAS"] == "2"


def test_a_target_that_is_not_what_it_claims_to_be_is_not_measured(trial, fake):
    def pretend():
        fake.app.server_header = "daphne"
        fake.app_container.logged = ["Listening on TCP address 0.0.0.0:8000"]

    fake.trouble["up 1"] = pretend
    fake.trouble["load 1"] = lambda: pytest.fail("load on a wrong target")
    made, raw = trial()
    assert made.state is State.VOID
    assert made.void_reasons == (
        (
            "proof before the measurement failed: Server header: 'daphne', expected ^gunicorn$; see which "
            "server answers in its place, as `daphne` in INSTALLED_APPS does for runserver"
        ),
    )
    assert (made.load, made.usage, raw) == (None, {}, {})
    assert made.log_tail == ("serverlab-app-1: Listening on TCP address 0.0.0.0:8000",)


def test_a_target_that_changes_while_it_is_measured_is_void_and_its_numbers_are_kept_beside_the_reason(
    trial, fake
):
    fake.trouble["measured 1"] = lambda: setattr(fake.app, "takes_any_token", True)
    made, _ = trial()
    assert made.state is State.VOID
    assert len(made.void_reasons) == 3
    assert made.load.ok == 100


def test_a_container_that_ran_out_of_memory_makes_the_trial_void(trial, fake):
    fake.trouble["window 1"] = lambda: fake.app_container.state.update(OOMKilled=True)
    made, _ = trial()
    assert made.void_reasons == (
        "container serverlab-app-1 ran out of memory; raise LAB_MEMORY, or give it fewer workers",
    )


def test_a_container_that_was_restarted_makes_the_trial_void(trial, fake):
    fake.trouble["window 1"] = lambda: setattr(fake.app_container, "started_at", "2030-01-01T00:00:00.5Z")
    made, _ = trial()
    assert made.void_reasons == (
        "container serverlab-app-1 was restarted while it was measured; see by whom (`docker events`)",
    )


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        pytest.param({"debug": True}, "identity: debug: True, expected False; turn DEBUG off", id="debug"),
        pytest.param(
            {"autoreload": True},
            "identity: autoreload: True, expected False; start it without its autoreloader",
            id="autoreloader",
        ),
        pytest.param({"workers": 7}, "identity: workers: 7, expected 1", id="workers"),
    ],
)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_app_that_is_set_wrongly_makes_the_trial_void(trial, fake, wrong, named, moment):
    when = {"before": "up 1", "after": "measured 1"}[moment]
    fake.trouble[when] = lambda: fake.app.identity.update(wrong)
    made, _ = trial()
    assert made.state is State.VOID
    assert made.void_reasons[0].startswith(f"proof {moment} the measurement failed: {named}")
    assert (made.load is None) is (moment == "before")


def test_daphne_in_the_place_of_runserver_makes_the_trial_void(trial, fake):
    fake.trouble["up 1"] = lambda: setattr(fake.app, "server_header", "daphne")
    made, _ = trial("runserver:threaded")
    assert made.void_reasons == (
        (
            "proof before the measurement failed: Server header: 'daphne', expected ^WSGIServer; see which "
            "server answers in its place, as `daphne` in INSTALLED_APPS does for runserver"
        ),
    )


def test_lines_that_the_stack_logged_are_counted_by_role(trial, fake):
    fake.trouble["window 1"] = lambda: setattr(fake.app_container, "logged", ["GET /", "GET /"])
    made, _ = trial("gunicorn:gthread+nginx")
    assert made.log_lines == {"app": 2, "edge": 0}


def test_what_this_machine_does_not_see_of_the_containers_is_absent(trial):
    made, _ = trial()
    assert (made.network, made.other_cpu_s) == ({}, None)
    app = made.usage["app"]
    assert (app.user_s, app.system_s, app.memory_pss_bytes, app.processes) == (None, None, None, ())
    assert (app.context_switches_voluntary, app.context_switches_involuntary, app.connections) == (None,) * 3


@pytest.mark.parametrize("before", [[5.0], [5.0, 5.0]], ids=["while the generator loads", "under load"])
def test_a_clock_that_was_set_before_the_window_and_back_makes_the_trial_void(trial, fake, before):
    leads = chain(before, [6.0], repeat(5.0))
    made, _ = trial(lead_s=lambda: next(leads))
    assert (made.state, made.clock_jump_s) == (State.VOID, 1.0)
    assert made.void_reasons == (
        "the clock was set forward by 1.00 s during the trial; let it settle, measure again",
    )
    assert trial()[0].clock_jump_s == 0.0


def test_a_worker_that_was_replaced_makes_the_trial_void(trial, fake):
    fake.trouble["window 1"] = lambda: setattr(fake.app_container, "id", f"{10**6:064x}")
    made, _ = trial()
    assert len(made.void_reasons) == 1
    assert made.void_reasons[0].startswith("the server's processes changed while it was measured: ")


def test_the_speed_of_the_cores_is_kept(trial):
    made, _ = trial()
    assert (made.speed_before, made.speed_after) == (10.0, 10.0)


def test_a_void_trial_keeps_the_last_lines_of_every_container(trial, fake):
    def die():
        fake.app_container.logged = ["booting", "Killed"]
        fake.app_container.state.update(OOMKilled=True)

    fake.trouble["window 1"] = die
    made, _ = trial()
    assert made.log_tail == ("serverlab-app-1: booting", "serverlab-app-1: Killed")


@pytest.mark.parametrize("target", [GTHREAD, "gunicorn:gthread+nginx"])
def test_an_app_that_dies_under_load_makes_the_trial_void(trial, fake, target):
    def die():
        app = fake.app_container
        app.status, app.exit_code, app.ports, app.logged = "exited", 139, {}, ["segmentation fault"]

    fake.trouble["measured 1"] = die
    made, _ = trial(target)
    assert made.state is State.VOID
    assert "serverlab-app-1 ended with 139:\n  | segmentation fault" in made.void_reasons[0]
    assert fake.client.is_empty


@pytest.mark.parametrize("moment", ["up 1", "measured 1"])
def test_an_app_that_ends_between_two_questions_makes_the_trial_void_and_is_told(trial, fake, moment):
    def end():
        app = fake.app_container

        def asked(_argv, **_options):
            app.status, app.exit_code, app.logged = "exited", 3, ["bye"]
            refuse(409)

        app.exec_run = asked

    fake.trouble[moment] = end
    made, _ = trial()
    assert made.void_reasons == (
        (
            "a container has ended or is gone: the container is not running; see its last lines for why\n"
            "serverlab-app-1 ended with 3:\n  | bye"
        ),
    )
    assert fake.client.is_empty


def test_an_app_that_dies_in_the_window_ends_the_load_and_is_told_with_how_it_died(trial, fake):
    def die():
        app = fake.app_container
        app.status, app.exit_code, app.state, app.logged = (
            "exited",
            137,
            {"OOMKilled": True},
            ["one book", "two"],
        )
        (load,) = Engine(fake.client).containers("load")
        until(lambda: load.killed)

    fake.trouble["window 1"] = die
    made, _ = trial(target=GTHREAD, duration_s=3600.0)
    assert made.void_reasons[0] == (
        "under load serverlab-app-1 died; see its last lines for why, and whether it holds with fewer users\n"
        "serverlab-app-1 ended with 137 (out of memory):\n  | one book\n  | two"
    )
    assert made.void_reasons[1].startswith("container serverlab-app-1 ran out of memory; ")
    assert made.load is None
    assert made.wall_s < 5
    assert fake.client.is_empty


def until(holds, *, within_s=5.0):
    """Return as soon as it holds."""
    give_up = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up
        Event().wait(0.005)


def test_a_sampler_that_dies_makes_the_trial_void_and_leaves_no_flat_line(trial, fake):
    def break_sampling():
        broken = Event()

        def stats(_container):
            if current_thread() is main_thread():
                return plain_stats(_container)
            broken.set()
            raise KeyError("cpu_stats")

        fake.client.stats_of = stats
        assert broken.wait(5.0)

    fake.trouble["window 1"] = break_sampling
    made, _ = trial()
    assert made.state is State.VOID
    assert made.void_reasons == (
        "the sampler ended early: KeyError: 'cpu_stats'; report it: that is a mistake of the lab",
    )
    assert made.usage["app"].samples > 0


def test_a_stranger_that_answers_like_the_stack_but_has_not_its_key_is_not_measured(trial, fake):
    fake.trouble["up 1"] = lambda: setattr(fake.app, "jwt_key", "that of another lab's stack, long enough")
    made, _ = trial()
    assert made.void_reasons == (
        (
            "proof before the measurement failed: control token: status 401, expected 200; look closer with "
            "`serverlab up`, which makes the same checks"
        ),
    )
    assert fake.measured == []


def test_rows_that_an_earlier_load_left_make_the_trial_void_before_any_load(trial, fake):
    left = SEEDED.replace("book 500 d4a6653483a0311b", "book 507 0123456789abcdef")
    fake.trouble["up 1"] = lambda: setattr(fake.app_container, "rows", left)
    made, _ = trial()
    assert made.void_reasons == (
        (
            "the database is not as it was seeded: 'book 507 0123456789abcdef' (kind, rows, digest); "
            "something is left over, or the image is older than the lab: `serverlab clean`, `make images`"
        ),
    )
    assert made.load is None
    assert fake.measured == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], "the generator ended before it was asleep; see its last lines for why"),
        (["asleep"], "the generator ended before it was loaded; see its last lines for why"),
        (
            ["asleep", "loaded", "warming"],
            "the generator ended without a result; see its last lines for what its users met",
        ),
    ],
)
def test_a_generator_that_breaks_makes_the_trial_void(trial, fake, said, told):
    fake.client.add = adding_a_generator_that_breaks(fake.client.add, said)
    made, _ = trial()
    assert made.void_reasons == (f"{told}\nserverlab-load-1 ended with 1:\n  | ImportError: no locust",)
    assert made.load is None
    assert fake.client.is_empty


def adding_a_generator_that_breaks(add, said):
    def breaking(service, **changes):
        if service == "load":
            lines = [json.dumps({"event": each}).encode() + b"\n" for each in said]
            ended = {"status": "exited", "exit_code": 1, "logged": ["ImportError: no locust"]}
            changes |= {"output": lambda: lines, **ended}
        return add(service, **changes)

    return breaking


def test_the_generator_starts_with_the_stack_and_is_held_until_the_stack_is_proven(trial, fake):
    told = []
    fake.trouble["load 1"] = lambda: told.append((list(fake.signals), len(fake.client.executed)))
    trial()
    files = [word.rpartition("/")[2] for word in fake.shell.calls[0].split() if word.endswith(".yml")]
    assert (len(fake.shell.calls), files) == (1, ["stack.yml", "direct.yml", "load.yml", "held.yml"])
    assert told == [([held.WAKE, held.GO], 2)], "rows were looked at and the cores timed before it was let go"


def test_a_generator_that_is_held_asks_nobody_where_the_proof_fails(trial, fake):
    fake.trouble["up 1"] = lambda: fake.app.statuses.update({"/healthz": 500})
    made, _ = trial()
    assert made.state is State.VOID
    assert fake.signals == [held.WAKE]


def test_ctrl_c_leaves_nothing_behind(trial, fake):
    fake.trouble["window 1"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        trial()
    assert fake.client.is_empty
    assert set(fake.client.removed) == {
        "serverlab-app-1",
        "serverlab-load-1",
        "serverlab_lab",
        "serverlab_data",
    }
