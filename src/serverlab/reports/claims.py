"""Popular sentences with their verdicts, for people and for machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from serverlab.analysis.claims import judge_claims
from serverlab.catalog.catalog import Catalog
from serverlab.catalog.claims import load_claims
from serverlab.errors import UsageError
from serverlab.formatting import ABSENT, did_you_mean, one_line
from serverlab.model.claims import (
    Answer,
    Claim,
    Holdings,
    JudgedClaim,
    JudgedCondition,
    Outcome,
    Ratio,
    Topic,
    Value,
    Verdict,
)
from serverlab.reports.markdown import grid, plain
from serverlab.store.evidence import read_holdings

WORDS = {
    Verdict.HOLDS: "holds",
    Verdict.DOES_NOT_HOLD: "does not hold",
    Verdict.DEPENDS: "depends",
    Verdict.OPEN: "open",
}
ANSWERS = {Answer.YES: "yes", Answer.NO: "no", Answer.OPEN: "not shown"}
COLUMNS = ("", "what would have to be so", "held against", "found", "shown", "evidence")


def judged_claims(catalog: Catalog, results: Path, *, since: str = "") -> list[JudgedClaim]:
    """Every claim of the checkout, judged by the results below the folder that were started ``since`` then.

    Raises:
        UsageError: a claim cannot be read.
    """
    return judge_claims(
        claims := load_claims(catalog.root), holdings_for(claims.values(), catalog, results, since)
    )


def holdings_for(claims: Iterable[Claim], catalog: Catalog, results: Path, since: str = "") -> Holdings:
    """The results below the folder that these claims may be judged by, with today's definitions."""
    experiments = {
        each.experiment
        for claim in claims
        for each in claim.conditions().values()
        if isinstance(each, Ratio | Value)
    }
    return msgspec.structs.replace(
        read_holdings(results, experiments, since=since),
        servers=catalog.servers,
        workloads={name: catalog.workload(name).description for name in catalog.workload_names()},
    )


def named(judged: Sequence[JudgedClaim], name: str) -> JudgedClaim:
    """The claim of that name.

    Raises:
        UsageError: there is none.
    """
    known = {each.name: each for each in judged}
    if name not in known:
        raise UsageError(f"no claim {name!r}{did_you_mean(name, known)}", f"Known: {', '.join(known)}")
    return known[name]


def render_overview(judged: Sequence[JudgedClaim]) -> str:
    """All claims in a table, each with a link to its own heading on the page. No line feed at the end."""
    rows = [[*_linked(each), WORDS[each.verdict], plain(_outcome(each))] for each in _by_topic(judged)]
    counts = ", ".join(
        f"{sum(each.verdict is verdict for each in judged)} {word}" for verdict, word in WORDS.items()
    )
    titles = ["topic", "sentence", "verdict", "because, or what is missing"]
    return "\n".join([f"{len(judged)} sentences: {counts}.", "", *grid(titles, rows)])


def render_claim(judged: JudgedClaim) -> str:
    """One claim with its heading, everything that it was judged by, and its rule. No line feed at the end."""
    claim = judged.claim
    commands = [f"    serverlab claims --only {judged.name} --run", *(f"    {each}" for each in claim.test)]
    return "\n".join(
        [
            f"### {plain(claim.sentence)}",
            "",
            f"**{_verdict(judged)}** {plain(judged.because)}".rstrip(),
            "",
            f"- Who says it: {plain(claim.said_by)}{_links(claim.links)}",
            f"- Why it matters: {plain(claim.why)}",
            f"- How it is tested: {plain(claim.how)}",
            f"- What can be said against it: {plain(claim.critic)}",
            "",
            *grid(COLUMNS, (_row(each) for each in judged.conditions)),
            "",
            *_open(judged),
            "The rule; where none of its lines fits, the claim is open:",
            "",
            *(f"- {_rule(each)}" for each in claim.outcomes),
            "",
            _anew(claim),
            "",
            *commands,
        ]
    )


def _anew(claim: Claim) -> str:
    """What the claim's commands are good for: what is missing they cannot make."""
    if claim.missing.keys() == claim.conditions().keys():
        return (
            "No command can make this evidence yet; the nearest that there is, all at once or step by step:"
        )
    if claim.missing:
        return "What is missing no command can make yet; to make the rest anew, all at once or step by step:"
    return "To make the evidence anew, all at once or step by step:"


def claim_lines(judged: JudgedClaim) -> Iterator[str]:
    """One claim for a terminal."""
    yield f"{judged.name}: {one_line(judged.claim.sentence)}"
    yield f"  {WORDS[judged.verdict]}{': ' if judged.because else ''}{one_line(judged.because)}"
    for each in judged.conditions:
        words = "; ".join(one_line(text) for text in (each.asked, each.found, each.reason) if text)
        yield f"    {ANSWERS[each.answer]:9}  {each.name}: {words}"
        yield from (f"               {run}" for run in each.evidence)


def as_json(judged: JudgedClaim) -> dict[str, Any]:
    """One claim for a machine."""
    return {
        "name": judged.name,
        "sentence": judged.claim.sentence,
        "verdict": judged.verdict.value,
        "because": judged.because,
        "test": judged.claim.test,
        "conditions": judged.conditions,
    }


def slug(heading: str) -> str:
    """The anchor that is made of a heading."""
    return re.sub(r"[^\w\- ]", "", plain(heading).lower()).replace(" ", "-")


def _by_topic(judged: Sequence[JudgedClaim]) -> Iterator[JudgedClaim]:
    for topic in Topic:
        yield from (each for each in judged if each.claim.topic == topic)


def _linked(judged: JudgedClaim) -> list[str]:
    sentence = judged.claim.sentence
    return [plain(judged.claim.topic.value), f"[{plain(sentence)}](#{slug(sentence)})"]


def _outcome(judged: JudgedClaim) -> str:
    lacking = [each for each in judged.conditions if each.answer is Answer.OPEN]
    return judged.because or "; ".join(f"{each.name}: {one_line(each.reason)}" for each in lacking)


def _verdict(judged: JudgedClaim) -> str:
    if judged.verdict is Verdict.OPEN:
        return "Open: there is not enough evidence."
    return f"{'It ' if judged.verdict is Verdict.DEPENDS else ''}{WORDS[judged.verdict]}.".capitalize()


def _links(links: Sequence[str]) -> str:
    return "".join(f" <{each}>" for each in links)


def _row(condition: JudgedCondition) -> list[str]:
    return [
        condition.name,
        plain(condition.says),
        plain(condition.asked) or ABSENT,
        plain(one_line(condition.found)) or ABSENT,
        ANSWERS[condition.answer],
        ", ".join(f"`{each}`" for each in condition.evidence) or ABSENT,
    ]


def _open(judged: JudgedClaim) -> Iterator[str]:
    """What is not shown, and why, with an empty line at the end; nothing where all is."""
    lacking = [each for each in judged.conditions if each.answer is Answer.OPEN]
    if not lacking:
        return
    yield "Not shown:"
    yield ""
    yield from (f"- {each.name}: {plain(one_line(each.reason))}" for each in lacking)
    yield ""


def _rule(outcome: Outcome) -> str:
    answers = ", ".join(f"{name}: {answer.value}" for name, answer in outcome.when.items())
    return f"{answers} → {outcome.verdict.value.removesuffix(' on')}"
