"""Odd requests to real stacks: what is sent is found on record, and an edge keeps requests apart."""

from __future__ import annotations

import pytest

from serverlab import host
from serverlab.cli.context import Context
from serverlab.cli.http import chosen_cases
from serverlab.compose import Database, Engine
from serverlab.lock import only_lab
from serverlab.model.definitions import Target
from serverlab.model.framing import Framed, Kind
from serverlab.model.security import Verdict
from serverlab.runner import provenance
from serverlab.runner.framing import framed_target, images_asked
from serverlab.store import framing_runs

DIRECT, EDGED = "gunicorn:gthread", "gunicorn:gthread+nginx"
ONLY = "H-01,H-03,H-14,H-26"


def answers_of(engine: Engine, name: str, folder) -> dict[str, Framed]:
    context = Context()
    target = Target.parse(name)
    split = host.assign_cores(1, host.cores_of(engine))
    images = images_asked(context.images(), [target])
    describe = provenance.describer(context.lab, images=images, database=Database.SQLITE)
    path = framing_runs.create_differential(folder, environment=describe("contract", {"1": split}))
    with only_lab():
        found = list(framed_target(context.lab, path, target, chosen_cases(ONLY), split=split))
    assert list(framing_runs.read_differential(path).found) == found
    assert not engine.containers()
    return {each.case: each for each in found}


@pytest.mark.contract
@pytest.mark.parametrize("name", [DIRECT, EDGED])
def test_odd_requests_are_answered_and_found_on_record(engine, tmp_path, name):
    found = answers_of(engine, name, tmp_path)
    assert [each.problem for each in found.values()] == [""] * 4
    answers = [answer for each in found.values() for answer in each.answers]
    assert [answer.smuggled for answer in answers if answer.smuggled] == []
    assert {answer.kind for answer in found["H-01"].answers} == {Kind.REJECT}
    assert [(answer.statuses, answer.requests) for answer in found["H-14"].answers] == [
        ((200, 200, 200), 2)
    ] * 2
    assert [answer.verdict for answer in found["H-26"].answers] == [Verdict.PASS]
    refused = {answer.form: answer.kind for answer in found["H-03"].answers}
    assert refused["1a"] is Kind.REJECT
