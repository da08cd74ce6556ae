"""Why the numbers of a finished trial may not be used."""

import pytest

from serverlab.model.records import Check
from serverlab.runner.trial import Evidence, gate
from tests.unit.builders import a_load, a_proof, a_usage


def evidence(**changes):
    plain = {
        "before": a_proof(),
        "after": a_proof(),
        "load": a_load(400.0),
        "usage": {"app": a_usage(1.0), "load": a_usage(0.5)},
    }
    return Evidence(**plain | changes)


def a_failed_proof(*names):
    proof = a_proof()
    checks = (*proof.checks, *(Check(name=name, ok=False, detail="found x, expected y") for name in names))
    return type(proof)(checks=checks, workers=1, server_version=None, identity={})


def test_a_trial_without_fault_passes():
    assert gate(evidence()) == []


def test_every_failed_check_is_a_reason_with_its_moment():
    assert gate(evidence(before=a_failed_proof("Server header", "identity: debug"))) == [
        "proof before the measurement failed: Server header: found x, expected y",
        "proof before the measurement failed: identity: debug: found x, expected y",
    ]
    assert gate(evidence(after=a_failed_proof("/healthz"))) == [
        "proof after the measurement failed: /healthz: found x, expected y"
    ]


@pytest.mark.parametrize("cores", [0.0, 0.5, 0.85])
def test_a_generator_below_its_ceiling_did_not_set_the_pace(cores):
    assert gate(evidence(usage={"load": a_usage(cores)})) == []


@pytest.mark.parametrize(("cores", "said"), [(0.86, "86%"), (1.0, "100%")])
def test_a_generator_above_its_ceiling_may_have_set_the_pace(cores, said):
    assert gate(evidence(usage={"load": a_usage(cores)})) == [
        f"generator-bound: it used {said} of a core, more than 85%"
    ]


def test_the_stack_may_use_its_core_as_a_whole():
    assert gate(evidence(usage={"app": a_usage(1.0), "load": a_usage(0.1)})) == []


def test_a_trial_in_which_nothing_succeeded_has_no_number():
    assert gate(evidence(load=a_load(0.0))) == ["no request succeeded"]


def test_all_reasons_are_told():
    wrong = evidence(
        before=a_failed_proof("a"), after=a_failed_proof("b"), load=a_load(0.0), usage={"load": a_usage(0.9)}
    )
    assert len(gate(wrong)) == 4


def test_what_was_not_reached_is_no_reason():
    assert gate(Evidence()) == []
