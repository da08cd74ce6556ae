"""Somebody who signed up for one row of the matrix, and rows that are played once for each way of signing in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from serverlab.attacks.inside import sql
from serverlab.attacks.rows import both
from serverlab.attacks.stage import WAYS, Outcome, Stage, Tokens, failed, passed
from serverlab.model.security import Verdict
from serverlab.probe import PASSWORD


@dataclass(frozen=True)
class Account:
    """Somebody who signed up for one row, so that what the row breaks is nobody else's."""

    stage: Stage
    way: str
    name: str

    def sign_in(self, password: str = PASSWORD) -> Tokens:
        """A new pair."""
        return self.stage.sign_in(self.name, way=self.way, password=password)

    def next(self, tokens: Tokens) -> Tokens:
        """The pair that follows; empty texts where there is none."""
        return self.stage.tokens_in(self.stage.refresh(tokens.refresh, way=self.way))

    def refresh(self, tokens: Tokens) -> int:
        """The status of spending the refresh token."""
        return self.stage.refresh(tokens.refresh, way=self.way).status

    def me(self, tokens: Tokens) -> int:
        """The status of using the access token."""
        return self.stage.me(tokens.access, way=self.way).status

    def post(self, what: str, tokens: Tokens, **fields: str) -> int:
        """The status of a request that needs the access token."""
        return self.stage.post(
            self.way, what, headers=self.stage.credential(tokens.access, way=self.way), json=fields
        ).status

    def set(self, column: str, value: str | int) -> None:
        """Change a column of the account's row behind the app's back."""
        sql(self.stage, f"UPDATE accounts_user SET {column} = ? WHERE username = ?", value, self.name)  # noqa: S608 - ours


def each_way(scene: Callable[[Account], Outcome]) -> Callable[[Stage], Outcome]:
    """Play the scene once for each way of signing in that hands out tokens, with an account of its own."""

    def run_it(stage: Stage) -> Outcome:
        outcomes: list[Outcome] = []
        for account in accounts_of(stage):
            outcomes.append(scene(account))
            if outcomes[-1].verdict is not Verdict.PASS:
                break
        return both(*outcomes)

    return run_it


def accounts_of(stage: Stage) -> Iterator[Account]:
    """A new account for each way of signing in that hands out tokens."""
    for way in WAYS:
        yield Account(stage, way, stage.sign_up(way=way))


def expect(account: Account, **found_and_wanted: tuple[object, object]) -> Outcome:
    """PASS if what was found is what was wanted, for each pair by its name."""
    for name, (found, wanted) in found_and_wanted.items():
        if found != wanted:
            return failed(f"{account.way}: {name.replace('_', ' ')} {found}", f"expected {wanted}")
    return passed(
        ", ".join(f"{name.replace('_', ' ')} {found}" for name, (found, _) in found_and_wanted.items())
    )
