"""What all processes of one server have in common, however many there are: a count of log-ins, a token's one use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing

import pytest

from serverlab.attacks.account import Account
from serverlab.attacks.contention import one_winner
from serverlab.attacks.inside import sql
from serverlab.attacks.limits import counted_by
from serverlab.attacks.stage import WAYS, Stage, Tokens
from serverlab.catalog import Catalog
from serverlab.compose import Engine, StackSettings
from serverlab.model.security import Verdict
from serverlab.probe import PASSWORD
from serverlab.runner.assault import stage_of

PROCESSES = (8, 2, 1)
MANY = PROCESSES[0]
RACES = {2: 60, 4: 40}
"""How often so many contend for one token, by each way."""


@pytest.fixture(scope="module")
def stage(
    request: pytest.FixtureRequest,
    start: Callable[..., AbstractContextManager[StackSettings]],
    catalog: Catalog,
    engine: Engine,
) -> Iterator[Stage]:
    """A server of so many processes that counts log-ins."""
    target, limited = catalog.target("gunicorn:sync"), {"LAB_LOGIN_LIMITS": "on"}
    with (
        start(target, workers=request.param, app=limited) as settings,
        closing(stage_of(catalog, engine, settings, rounds=1)) as stage,
    ):
        yield stage


class Uncounted(Account):
    """Somebody whose log-ins are forgotten at once."""

    def sign_in(self, password: str = PASSWORD) -> Tokens:
        """A new pair."""
        sql(self.stage, "DELETE FROM shared_cache")
        return super().sign_in(password)


@pytest.mark.parametrize("stage", PROCESSES, indirect=True, scope="module")
def test_as_many_log_ins_are_looked_at_by_all_processes_as_by_one(stage: Stage) -> None:
    outcome = counted_by(stage, stage.expected.workers)
    assert outcome.seen.startswith("20 x 401, 12 x 429 by ")
    assert (outcome.verdict, outcome.reason) == (Verdict.PASS, "")


@pytest.mark.parametrize("stage", [MANY], indirect=True, scope="module")
@pytest.mark.parametrize("way", WAYS)
def test_every_race_for_a_refresh_token_has_one_winner(stage: Stage, way: str) -> None:
    outcome = one_winner(Uncounted(stage, way, stage.sign_up(way=way)), RACES)
    assert (outcome.verdict, outcome.seen, outcome.reason) == (Verdict.PASS, "one winner of 2, 4", "")
