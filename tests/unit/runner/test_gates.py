"""Why the numbers of a finished trial may not be used."""

import msgspec
import pytest

from serverlab.model.records import Check
from serverlab.runner import gates
from tests.unit.builders import a_load, a_proof, a_usage


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
        "proof before the measurement failed: Server header: found x, expected y",
        "proof before the measurement failed: identity: debug: found x, expected y",
    ]
    assert list(gates.of_proofs(a_proof(), a_failed_proof("/healthz"))) == [
        "proof after the measurement failed: /healthz: found x, expected y"
    ]


def test_a_worker_that_was_replaced_while_it_was_measured_is_told():
    assert list(gates.of_proofs(with_processes(1, 2, 3), with_processes(1, 2, 4))) == [
        "the server's processes changed while it was measured: 1 gone, 1 new"
    ]
    assert list(gates.of_proofs(with_processes(1, 2), with_processes(1, 2))) == []


def test_packages_are_compared_with_those_of_earlier_trials_and_of_the_proof_before():
    old, new = {"django": "5.2.18"}, {"django": "5.2.19", "uvloop": "0.22"}
    changes = "django 5.2.19 instead of 5.2.18, uvloop 0.22 instead of none"
    assert list(gates.of_packages(new, new, earlier=old)) == [
        f"other packages than in the run's earlier trials of this server: {changes}"
    ]
    assert list(gates.of_packages(old, new, earlier=old)) == [
        f"the packages changed while it was measured: {changes}"
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
    assert of_load(app=0.99, load=cores) == [f"generator-bound: it used {said} of a core, more than 85%"]


def test_a_busy_generator_has_set_the_pace_when_the_stack_had_time_left():
    assert of_load(app=0.55, load=0.84) == [
        "generator-bound: it used 84% of a core while the stack left 45% of its own idle"
    ]
    assert of_load(app=0.55, edge=0.4, load=0.84) == []
    assert of_load(app=1.0, load=0.84, cpus=2) != []


def test_a_waiting_stack_under_a_resting_generator_is_no_reason():
    assert of_load(app=0.1, load=0.3) == []


def test_a_generator_whose_cpu_is_unknown_may_have_set_the_pace():
    assert of_load(app=1.0) == ["not sampled: load"]
    assert of_load() == ["not sampled: load and app"]


def test_too_few_samples_are_told():
    usage = {"app": msgspec.structs.replace(a_usage(1.0), samples=5), "load": a_usage(0.2)}
    assert list(gates.of_load(a_load(400.0), usage, cpus=1)) == [
        "the machine was too busy to be sampled: 5 samples of 20"
    ]


def test_a_trial_in_which_nothing_succeeded_has_no_number():
    assert of_load(a_load(0.0), app=1.0, load=0.2) == ["no request succeeded"]


def test_what_was_not_reached_is_no_reason():
    assert list(gates.of_proofs(None, None)) == []
    assert list(gates.of_load(None, {}, cpus=1)) == []
