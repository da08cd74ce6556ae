"""Why the numbers of a finished trial may not be used."""

import msgspec
import pytest

from serverlab.model.definitions import Arrival
from serverlab.model.records import Check
from serverlab.runner import gates
from tests.unit.builders import NO_LATENCY, a_failure, a_latency, a_load, a_proof, a_usage

LESS_LOAD = "give the stack fewer cores or a heavier workload: it may be faster than this generator can ask"


def of_load(result=None, *, cpus=1, **cores):
    usage = {role: a_usage(busy) for role, busy in cores.items()}
    return list(gates.of_load(result or a_load(400.0), usage, cpus=cpus))


def a_failed_proof(*names):
    proof = a_proof()
    checks = (*proof.checks, *(Check(name=name, ok=False, detail="found x, expected y") for name in names))
    return type(proof)(checks=checks, workers=1, server_version=None, identity={})


def with_processes(*pids):
    proof = a_proof()
    return type(proof)(checks=proof.checks, workers=1, server_version=None, identity={}, processes=pids)


def test_a_trial_without_fault_passes():
    assert list(gates.of_proofs(a_proof(), a_proof())) == []
    assert of_load(app=1.0, load=0.5) == []


def test_every_failed_check_is_a_reason_with_its_moment():
    assert list(gates.of_proofs(a_failed_proof("Server header", "identity: debug"), a_proof())) == [
        (
            "proof before the measurement failed: Server header: found x, expected y; see which server "
            "answers in its place, as `daphne` in INSTALLED_APPS does for runserver"
        ),
        (
            "proof before the measurement failed: identity: debug: found x, expected y; turn DEBUG off, with it Django "
            "keeps every query"
        ),
    ]
    assert list(gates.of_proofs(a_proof(), a_failed_proof("seeded books"))) == [
        (
            "proof after the measurement failed: seeded books: found x, expected y; see its last lines for what the "
            "load did to it"
        )
    ]


def test_what_to_do_about_a_target_that_answers_nothing_is_not_what_to_do_about_a_wrong_one():
    silent = Check(name="/healthz", ok=False, detail="ReadTimeout: timed out")
    debug = Check(name="identity: debug", ok=False, detail="ReadTimeout: timed out, expected False")
    refused = msgspec.structs.replace(a_proof(), checks=(debug, silent))
    assert {each.partition("; ")[2] for each in gates.of_proofs(None, refused)} == {
        "see its last lines for why it does not answer"
    }
    unwell = msgspec.structs.replace(silent, detail="status 500, expected 200")
    broken = msgspec.structs.replace(a_proof(), checks=(debug, unwell))
    assert [each.partition("; ")[2] for each in gates.of_proofs(None, broken)] == [
        "turn DEBUG off, with it Django keeps every query",
        "see its last lines for what the load did to it",
    ]


def test_a_worker_that_was_replaced_while_it_was_measured_is_told():
    assert list(gates.of_proofs(with_processes(1, 2, 3), with_processes(1, 2, 4))) == [
        "the server's processes changed while it was measured: 1 gone, 1 new; look in its log for why a worker ended"
    ]
    assert list(gates.of_proofs(with_processes(1, 2), with_processes(1, 2))) == []


def test_packages_are_compared_with_those_of_earlier_trials_and_of_the_proof_before():
    old, new = {"django": "5.2.18"}, {"django": "5.2.19", "uvloop": "0.22"}
    changes = "django 5.2.19 instead of 5.2.18, uvloop 0.22 instead of none"
    assert list(gates.of_packages(new, new, earlier=old)) == [
        f"other packages than in the run's earlier trials of this server: {changes}; start a new run"
    ]
    assert list(gates.of_packages(old, new, earlier=old)) == [
        f"the packages changed while it was measured: {changes}; see who installed something in the container"
    ]


def test_packages_that_were_not_stated_are_not_compared():
    installed = {"django": "5.2.19"}
    assert list(gates.of_packages(installed, {}, earlier=None)) == []
    assert list(gates.of_packages({}, installed, earlier=installed)) == []
    assert list(gates.of_packages(installed, installed, earlier=installed)) == []


@pytest.mark.parametrize("cores", [0.0, 0.5, 0.85])
def test_a_generator_below_its_ceiling_did_not_set_the_pace_of_a_busy_stack(cores):
    assert of_load(app=0.99, load=cores) == []


@pytest.mark.parametrize(("cores", "said"), [(0.86, "86%"), (1.0, "100%")])
def test_a_generator_above_its_ceiling_may_have_set_the_pace(cores, said):
    assert of_load(app=0.99, load=cores) == [
        f"generator-bound: it used {said} of a core, more than 85%; {LESS_LOAD}"
    ]


def test_a_busy_generator_has_set_the_pace_when_the_stack_had_time_left():
    assert of_load(app=0.55, load=0.84) == [
        f"generator-bound: it used 84% of a core while the stack left 45% of its own idle; {LESS_LOAD}"
    ]
    assert of_load(app=0.55, edge=0.4, load=0.84) == []
    assert of_load(app=1.0, load=0.84, cpus=2) != []


@pytest.mark.parametrize(("unsent", "reasons"), [(0, 0), (1, 1)])
def test_a_busy_generator_sets_the_pace_of_an_open_workload_that_has_too_few_users(unsent, reasons):
    load = msgspec.structs.replace(a_load(400.0), scheduled=5000, unsent=unsent)
    assert len(of_load(load, app=0.55, load=0.84)) == reasons


def test_a_waiting_stack_under_a_resting_generator_is_no_reason():
    assert of_load(app=0.1, load=0.3) == []


def test_a_generator_whose_cpu_is_unknown_may_have_set_the_pace():
    assert of_load(app=1.0) == ["not sampled: load; see which figures the engine gives (`serverlab doctor`)"]
    assert of_load() == ["not sampled: load and app; see which figures the engine gives (`serverlab doctor`)"]


def test_too_few_samples_are_told():
    usage = {"app": msgspec.structs.replace(a_usage(1.0), samples=5), "load": a_usage(0.2)}
    assert list(gates.of_load(a_load(400.0), usage, cpus=1)) == [
        "the machine was too busy to be sampled: 5 samples of 20; end what else runs on it"
    ]


def test_a_trial_in_which_nothing_succeeded_has_no_number():
    assert of_load(a_load(0.0), app=1.0, load=0.2) == ["no request succeeded; see the failures by kind"]


def test_what_was_not_reached_is_no_reason():
    assert list(gates.of_proofs(None, None)) == []
    assert list(gates.of_load(None, {}, cpus=1)) == []


def test_debug_and_the_autoreloader_are_refused_with_what_to_do():
    assert list(gates.of_proofs(a_failed_proof("identity: autoreload"), None)) == [
        (
            "proof before the measurement failed: identity: autoreload: found x, expected y; start it without "
            "its autoreloader (runserver --noreload)"
        )
    ]


def of_counts(*, arrival=Arrival.CLOSED, **changes):
    """Of 4000 requests, all right; 16 were open when the window began and 16 when it ended."""
    return list(gates.of_counts(a_load(400.0, **changes), arrival=arrival))


def test_counts_that_add_up_are_no_reason():
    assert of_counts(late=16) == []
    assert of_counts(late=0) == []
    assert of_counts(ended=4010, ok=4010, late=5, failures=()) == []
    assert list(gates.of_counts(None, arrival=Arrival.CLOSED)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"ended": 3000, "ok": 3000, "late": 5},
            "4000 requests began and 3000 ended (3000 right), 5 of them late, with 16 users",
            id="requests are missing",
        ),
        pytest.param(
            {"ended": 4100, "ok": 4000, "late": 5},
            "4000 requests began and 4100 ended (4000 right), 5 of them late, with 16 users",
            id="too many ended",
        ),
        pytest.param(
            {"ended": 3990, "late": 20},
            "4000 requests began and 3990 ended (4000 right), 20 of them late, with 16 users",
            id="more were late than there are users",
        ),
        pytest.param(
            {"ended": 4000, "ok": 4001, "late": 5},
            "4000 requests began and 4000 ended (4001 right), 5 of them late, with 16 users",
            id="more were right than ended",
        ),
    ],
)
def test_counts_that_do_not_add_up_are_told(changes, said):
    assert of_counts(**changes) == [
        f"the generator's counts do not add up: {said}; keep the raw file and report it"
    ]


def test_failures_that_are_not_in_the_histogram_are_told():
    broken = a_load(400.0, failures=[a_failure(10)], latency_failed=a_latency(12))
    assert list(gates.of_counts(broken, arrival=Arrival.CLOSED)) == [
        "the generator's counts do not add up: 10 failures named, 12 in the histogram; keep the raw file and report it"
    ]
    timed_out = a_load(400.0, failures=[a_failure(10, kind="timeout", status=None)], ended=4000)
    timed_out = msgspec.structs.replace(
        timed_out, latency_failed=NO_LATENCY
    )  # time-outs are in the other one
    assert list(gates.of_counts(timed_out, arrival=Arrival.CLOSED)) == []


def test_where_one_message_reaches_many_sockets_more_may_be_open_than_there_are_users():
    sockets = {"ended": 4100, "late": 50, "by_name": {"WS delivery": a_latency()}}
    assert of_counts(**sockets) == []
    assert len(of_counts(**sockets | {"ended": 3000, "ok": 3000})) == 1


@pytest.mark.parametrize("jump_s", [None, 0.0, 0.04, -0.04])
def test_a_clock_that_goes_on_is_no_reason(jump_s):
    assert list(gates.of_clock(jump_s)) == []


@pytest.mark.parametrize(("jump_s", "said"), [(3600.0, "forward by 3600.00 s"), (-0.06, "back by 0.06 s")])
def test_a_clock_that_was_set_is_told(jump_s, said):
    assert list(gates.of_clock(jump_s)) == [
        f"the clock was set {said} during the trial; let it settle, measure again"
    ]


def test_a_generator_that_was_held_back_by_a_quota_is_told():
    held = msgspec.structs.replace(a_usage(0.3), throttled_s=0.25)
    assert list(gates.of_load(a_load(400.0), {"app": a_usage(1.0), "load": held}, cpus=1)) == [
        "the generator was held back for 0.25 s by a CPU quota; lift that of the engine, the lab sets none"
    ]
    held_app = msgspec.structs.replace(a_usage(1.0), throttled_s=0.25)
    assert list(gates.of_load(a_load(400.0), {"app": held_app, "load": a_usage(0.3)}, cpus=1)) == []
