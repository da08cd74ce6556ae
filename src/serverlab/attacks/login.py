"""What the refusal of a log-in gives away, and what odd passwords do (rows A5-01 and A5-03)."""

from __future__ import annotations

import json
from functools import partial
from statistics import median

from serverlab.attacks import crowd, inside
from serverlab.attacks.crowd import Try, a_name, an_address, attempt
from serverlab.attacks.refusals import AGAIN, timed
from serverlab.attacks.stage import HARMLESS, Attack, Outcome, Stage, leak_in
from serverlab.attacks.visitor import judged, sign_up
from serverlab.model.records import Check

WAYS = ("jwt", "plain", "session")


def same_refusal(stage: Stage) -> Outcome:
    """Wrong password, unknown name, inactive user: three refusals that nobody can tell apart, by any way."""
    known, _ = sign_up(stage)
    inactive, password = sign_up(stage)
    inside.sql(stage, "UPDATE accounts_user SET is_active = 0 WHERE username = ?", inactive)
    address = an_address()
    cases = ((known, "not the password"), (a_name(), "not the password"), (inactive, password))
    asked = [attempt(name, password=said, address=address, way=way) for way in WAYS for name, said in cases]
    found = iter(crowd.attempts(stage, asked))
    checks = []
    for way in WAYS:
        answers = [next(found) for _ in cases]
        told = {(each["status"], each["body"], _without_date(each)) for each in answers}
        same = len(told) == 1 and {each["status"] for each in answers} == {401}
        checks.append(Check(name=way, ok=same, detail="one 401 for all" if same else f"{sorted(told)}"))
    return judged(checks)


def _without_date(answer: Try) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), text) for name, text in answer["headers"] if name.lower() != "date")


ODD_PASSWORDS: dict[str, object] = {
    "one byte": "x",
    "NUL": "a\0b",
    "composed": "p\u00e4ssw\u00f6rd",
    "decomposed": "pa\u0308sswo\u0308rd",
    "4096": "x" * 4096,
    "128 KiB": "x" * (128 << 10),
    "a number": 7,
    "a lone surrogate": "\ud800",
}
JSON = {"Content-Type": "application/json"}
LONG_S = 1.0


def odd_passwords(stage: Stage) -> Outcome:
    """Passwords of every size and kind."""
    checks, slowest_s = [], 0.0
    for way in ("jwt", "plain"):
        for name, password in ODD_PASSWORDS.items():
            # As JSON escapes, which is how a lone surrogate can be sent at all.
            body = json.dumps({"username": a_name(), "password": password})
            send = partial(stage.post, way, "login", content=body, headers=JSON)
            answer, took_s = timed(send)
            if took_s >= LONG_S:
                took_s = median(timed(send)[1] for _ in range(AGAIN))
            slowest_s = max(slowest_s, took_s)
            ok = answer.status in (400, 401) and not leak_in(answer)
            checks.append(Check(name=f"{name} to {way}", ok=ok, detail=str(answer.status)))
    quick = Check(name="the slowest answer", ok=slowest_s < LONG_S, detail=f"{slowest_s:.2f} s")
    return judged([*checks, quick], seen="400, 401", measured={"slowest_s": slowest_s})


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "A5-01",
        "Wrong password, unknown name, inactive user",
        "one answer, byte for byte",
        same_refusal,
        beside=HARMLESS,
    ),
    Attack(
        "A5-03", "Passwords of 1 byte to 128 KiB, NUL, surrogates", "400 or 401, no CPU burnt", odd_passwords
    ),
)
