"""Rows about tokens, against sites that accept the issued token alone, or one kind too many."""

from __future__ import annotations

import base64
import json
import time

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization

from serverlab.attacks import ATTACKS, keys
from serverlab.attacks.forge import changed, forger_of, hmac_of, segment
from serverlab.attacks.profiles import PROFILES
from serverlab.attacks.stage import passed
from serverlab.model.security import Verdict
from tests.unit.attacks.sites import a_stage

KEY = "a key of the stack that is long enough"
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class TokenSite:
    """Hands out one token for each way, and accepts it; with a flaw, others as well."""

    def __init__(self, *, accepts=lambda header, claims: False, refusal=401, said="no", headers=None):
        self.accepts, self.refusal, self.said = accepts, refusal, said
        self.headers = CHALLENGE if headers is None else headers
        self.issued = {}

    def __call__(self, request):
        way = request.url.path.split("/")[3]
        if request.url.path.endswith("/login/"):
            return httpx2.Response(200, json={"access": self.issued[way], "refresh": "r"})
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.method == "POST":
            token = json.loads(request.content)["token"]
        if token == self.issued.get(way) or self.accepts(*read(token)):
            return httpx2.Response(200, json={"id": 1})
        return httpx2.Response(self.refusal, text=self.said, headers=self.headers)


def read(token):
    """Header and claims, each empty where it cannot be read."""
    return [as_json(part) for part in [*token.split("."), "", ""][:2]]


def as_json(part):
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def found_on(site, attack, *, app=None):
    stage = a_stage(site, app=app)
    stage.settings.jwt_key, stage.settings.secret_key = KEY, "another secret"
    for way, audience in (("jwt", "serverlab"), ("plain", "serverlab-plain")):
        claims = {
            "aud": audience,
            "iss": "serverlab",
            "user_id": "1",
            "ver": 0,
            "jti": "1" * 32,
            "iat": 1,
            "fam": "2" * 32,
        }
        claims |= {"exp": int(time.time()) + 600, "token_type": "access"}
        site.issued[way] = forger_of(stage.settings, "", claims).signed()
    return ATTACKS[attack].run(stage)


REFUSALS = [
    *(f"A1-0{number}" for number in range(1, 10)),
    *("A1-10", "A1-11", "A1-14", "A1-16", "A1-19", "A1-21", "A1-22", "A1-23"),
    *("A2-01", "A2-02", "A2-03", "A2-05", "A2-06", "A2-07", "A2-08", "A2-09", "A2-10"),
    *("A2-13", "A2-14", "A2-15", "A2-17"),
]


@pytest.mark.parametrize("attack", REFUSALS)
def test_a_site_that_accepts_nothing_but_what_it_issued_passes(attack):
    outcome = found_on(TokenSite(), attack)
    assert (outcome.verdict, outcome.seen.split("; ")[0]) == (Verdict.PASS, "401")


def alg(header):
    return str(header.get("alg", "")).strip().lower()


FLAWS = {
    "A1-01": lambda header, claims: header.get("alg") == "none",
    "A1-04": lambda header, claims: alg(header) == "none",
    "A1-06": lambda header, claims: header.get("alg") == "",
    "A1-07": lambda header, claims: alg(header) == "none",
    "A1-08": lambda header, claims: "alg" not in header,
    "A1-10": lambda header, claims: claims.get("role") == "admin",
    "A1-11": lambda header, claims: alg(header) == "hs512",
    "A1-16": lambda header, claims: header.get("kid") == "../../../../dev/null",
    "A1-19": lambda header, claims: "crit" in header,
    "A2-01": lambda header, claims: "exp" not in claims and "aud" in claims,
    "A2-03": lambda header, claims: isinstance(claims.get("exp"), str),
    "A2-05": lambda header, claims: "nbf" in claims,
    "A2-06": lambda header, claims: claims.get("aud") == "elsewhere",
    "A2-07": lambda header, claims: "serverlab" in claims.get("aud", ""),
    "A2-08": lambda header, claims: claims.get("iss", "-") in "serverlab" and claims["iss"] != "serverlab",
    "A2-10": lambda header, claims: str(claims.get("token_type")).lower() == "access" != claims["token_type"],
    "A2-15": lambda header, claims: claims.get("user_id") is True,
    "A2-17": lambda header, claims: "ver" not in claims and "aud" in claims,
}


@pytest.mark.parametrize("attack", FLAWS)
def test_one_kind_too_many_is_found(attack):
    outcome = found_on(TokenSite(accepts=FLAWS[attack]), attack)
    assert (outcome.verdict, outcome.reason) == (Verdict.FAIL, "expected 401")
    assert outcome.seen.startswith("200 for jwt: ")


def test_a_site_that_takes_a_certificate_for_a_shared_secret_is_found(monkeypatch):
    class Confused(TokenSite):
        """Verifies by HMAC with whatever it has of the key, which is a certificate."""

        def __call__(self, request):
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token.count(".") == 2 and request.method == "GET":
                signed, _, signature = token.rpartition(".")
                if signature == segment(hmac_of(held[-1], signed.encode())):
                    return httpx2.Response(200, json={"id": 1})
            return super().__call__(request)

    held = [b""]
    certified = keys._certificate

    def certificate(public):
        made = certified(public)
        held.append(made.public_bytes(serialization.Encoding.PEM))
        assert made.public_key() == public
        return made

    monkeypatch.setattr(keys, "_certificate", certificate)
    app = {"LAB_JWT_KEYS": PROFILES["guarded"].app()["LAB_JWT_KEYS"]}
    assert found_on(TokenSite(), "A1-12", app=app) == passed("401")
    outcome = found_on(Confused(), "A1-12", app=app)
    assert (outcome.verdict, outcome.seen) == (Verdict.FAIL, "200 for jwt: X.509 certificate as the secret")


@pytest.mark.parametrize(
    ("site", "reason"),
    [
        (TokenSite(refusal=500), "expected 401"),
        (TokenSite(refusal=403), "expected 401"),
        (TokenSite(headers={}), "401 without WWW-Authenticate"),
        (TokenSite(said="File /app/accounts/jwt.py"), "the answer shows '/app/'"),
    ],
    ids=["a server error", "the wrong refusal", "no challenge", "a path of the inside"],
)
def test_a_refusal_of_the_wrong_kind_is_found(site, reason):
    outcome = found_on(site, "A1-01")
    assert (outcome.verdict, outcome.reason) == (Verdict.FAIL, reason)


def test_a_site_that_refuses_everybody_after_the_attack_is_found():
    site = TokenSite()
    stage = a_stage(site)
    stage.settings.jwt_key = KEY
    claims = {"exp": int(time.time()) + 600}
    site.issued = {way: forger_of(stage.settings, "", claims).signed() for way in ("jwt", "plain")}
    stage.forger(way="jwt"), stage.forger(way="plain")
    site.issued.clear()
    outcome = ATTACKS["A1-01"].run(stage)
    assert (outcome.verdict, outcome.reason) == (
        Verdict.FAIL,
        "the true credential gets 401 afterwards",
    )


def test_changed_leaves_out_what_is_not_there():
    assert changed({"a": 1, "b": 2}, a=..., c=3) == {"b": 2, "c": 3}
