"""A second proof that is like the first one is written as what differs, and read back whole."""

from __future__ import annotations

import json

import msgspec
import pytest

from serverlab import store
from serverlab.model.records import Check, Proof
from serverlab.store.folding import folded, unfolded
from tests.unit.builders import a_plan, a_proof, a_trial, an_environment

PASSED = {"/healthz": "200", "identity: debug": "False"}


def proof(*, passed=PASSED, checks=(), **identity):
    return Proof(
        checks=checks,
        workers=1,
        server_version="27.0.1",
        identity={"django": "5.2.19", "thread_id": "7"} | identity,
        passed=dict(passed),
    )


FAILED = Check(name="/healthz", ok=False, detail="status 500, expected 200")
SILENT = Proof(checks=(FAILED,), workers=1, server_version=None, identity={}, passed={})
PAIRS = {
    "alike": (proof(), proof()),
    "another thread": (proof(), proof(thread_id="9")),
    "said more": (proof(), proof(client="10.0.0.1")),
    "seen otherwise": (proof(), proof(passed=PASSED | {"seeded books": "501"})),
    "a check failed after": (proof(), proof(passed={"identity: debug": "False"}, checks=(FAILED,))),
    "no answer after": (proof(), SILENT),
    "no answer before": (SILENT, proof()),
    "of an old run": (a_proof(), a_proof()),
    "none after": (proof(), None),
    "none": (None, None),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_whatever_the_proofs_are_they_are_read_back_as_they_were(pair):
    before, after = PAIRS[pair]
    made = a_trial(proof_before=before, proof_after=after)
    assert unfolded(folded(made)) == made


def test_only_what_differs_is_written_and_that_it_does(tmp_path):
    path = store.create_run(tmp_path, plan=a_plan(), environment=an_environment())
    made = a_trial(proof_before=proof(), proof_after=proof(thread_id="9"))
    store.append_trial(path, made)
    line = json.loads((path / "trials.jsonl").read_text())
    assert line["proof_before"]["passed"] == PASSED  # nothing of it is what the identity says
    assert line["proof_after"] == {
        "identity": {"thread_id": "9"},
        "as_before": True,
        "same": ["workers", "server_version"],
    }
    assert store.read_run(path).trials == (made,)


@pytest.mark.parametrize("pair", ["a check failed after", "no answer after"])
def test_a_proof_that_lacks_what_the_first_one_had_is_written_whole(pair):
    before, after = PAIRS[pair]
    assert folded(a_trial(proof_before=before, proof_after=after)).proof_after == after


def test_a_proof_that_is_like_none_is_a_damaged_line(tmp_path):
    path = store.create_run(tmp_path, plan=a_plan(), environment=an_environment())
    lonely = msgspec.structs.replace(proof(), as_before=True)
    line = msgspec.json.encode(a_trial(proof_before=None, proof_after=lonely)) + b"\n"
    (path / "trials.jsonl").write_bytes(line)
    (problem,) = store.read_run(path).problems
    assert problem.message.startswith(
        "cut short or damaged (a proof after without the proof before that it is like)"
    )
