"""The verb that attacks stacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter, validators

from serverlab import host, store
from serverlab.analysis.security import BAD, SEVERITY, judged
from serverlab.attacks import ATTACKS
from serverlab.attacks.profiles import PROFILES
from serverlab.attacks.stage import Attack
from serverlab.cli.context import Context, show, show_json
from serverlab.compose import Database
from serverlab.errors import Exit, UsageError
from serverlab.formatting import did_you_mean, plural
from serverlab.model.records import CoreSplit, Environment, ImageFacts
from serverlab.model.security import Finding, PlannedAttack
from serverlab.runner import provenance
from serverlab.runner.assault import images_attacked, start_assault
from serverlab.runner.run import Describe

Rounds = Annotated[int, Parameter(validator=validators.Number(gte=1))]


class Attacks:
    """The verb, bound to a context."""

    def __init__(self, context: Context) -> None:
        """Work with this checkout and engine."""
        self._context = context

    def attack(
        self,
        *targets: str,
        only: str | None = None,
        rounds: Rounds = 10,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """Put every attack to every target, save what is found, and tell what is not as it should be.

        Exit code 1 when a verdict is neither a pass nor a difference that the server's definition expects.

        Parameters
        ----------
        targets
            SERVER[:VARIANT][+EDGE], for example gunicorn:gthread+nginx; all of them if none is named.
        only
            Ids of attacks, or beginnings of ids, separated by commas: A1,A3-03.
        rounds
            How often each race is run.
        json
            For a machine to read.
        """
        catalog = self._context.sound_catalog
        chosen = list(dict.fromkeys(catalog.target(name) for name in targets)) or list(catalog.targets())
        attacks = chosen_attacks(only)
        images = images_attacked(self._context.images(), chosen, attacks)
        path = start_assault(
            self._context.lab,
            chosen,
            attacks,
            cores=host.cores_of(self._context.engine),
            describe=describer(self._context, images, rounds=rounds),
            rounds=rounds,
        )
        return self._judge(path, json=json)

    def _judge(self, path: Path, *, json: bool) -> int:
        assault = store.read_assault(path)
        verdicts = [judged(each, self._context.sound_catalog.servers) for each in assault.findings]
        if json:
            show_json({"run": assault.name, "attacks": assault.attacks, "findings": verdicts})
        else:
            show("\n".join(_lines(verdicts, assault.attacks)))
        self._context.say(f"findings: {path}")
        return int(Exit.VERDICT_FAILED if any(each.verdict in BAD for each in verdicts) else Exit.OK)


def register(app: App, context: Context) -> None:
    """Add the verb to the app."""
    app.command(Attacks(context).attack)


def chosen_attacks(only: str | None) -> list[Attack]:
    """The attacks whose ids begin with one of the comma-separated texts; all of them without any.

    Raises:
        UsageError: a text is the beginning of none.
    """
    if only is None:
        return list(ATTACKS.values())
    beginnings = [part.strip() for part in only.split(",")]
    for beginning in beginnings:
        if not beginning or not any(name.startswith(beginning) for name in ATTACKS):
            raise UsageError(f"no attack {beginning!r}{did_you_mean(beginning, ATTACKS)}", f"From {_span()}.")
    return [attack for name, attack in ATTACKS.items() if name.startswith(tuple(beginnings))]


def _span() -> str:
    names = sorted(ATTACKS)
    return f"{names[0]} to {names[-1]}" if names else "none"


def describer(context: Context, images: Mapping[str, ImageFacts], *, rounds: int) -> Describe:
    """A function that describes a run of attacks, with how each profile is set up and how often races are run."""
    plain = provenance.describer(context.lab, images=images, database=Database.SQLITE)

    def describe(run: str, splits: Mapping[str, CoreSplit]) -> Environment:
        notes = (
            *(f"profile {name}: {profile.title}" for name, profile in PROFILES.items()),
            f"each race is run {rounds} times",
        )
        return msgspec.structs.replace(plain(run, splits), notes=notes)

    return describe


def _lines(verdicts: Sequence[Finding], attacks: Mapping[str, PlannedAttack]) -> list[str]:
    lines = [
        f"{each.verdict.value:8} {each.target}  {each.attack}  {attacks[each.attack].title}: "
        f"{each.seen}: {each.reason}"
        for each in verdicts
        if each.verdict in BAD
    ]
    counts = Counter(each.verdict for each in verdicts)
    summary = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in SEVERITY if counts[verdict])
    return [*lines, f"{plural(len(verdicts), 'finding')}: {summary or 'none'}"]
