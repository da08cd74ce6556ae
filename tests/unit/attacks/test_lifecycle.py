"""Rows about the life of tokens, against chains that are kept soundly or with one flaw."""

from __future__ import annotations

import itertools
import json
import time
from types import SimpleNamespace

import httpx2
import pytest

from serverlab.attacks import ATTACKS
from serverlab.attacks.forge import hmac_signed
from serverlab.model.security import Verdict
from serverlab.probe import claims_of
from tests.unit.attacks.sites import a_stage

KEY = "a key of the stack that is long enough"
NUMBERS = itertools.count(1)


class Chains:
    """Keeps chains of refresh tokens as the app does; each flaw is one thing that is left out."""

    def __init__(self, *flaws):
        self.flaws = set(flaws)
        self.current = {}
        self.users = {}
        self.versions = {}
        self.lines = []

    def __call__(self, request):
        way, what = request.url.path.strip("/").split("/")[2:4]
        fields = json.loads(request.content or b"{}")
        handler = getattr(self, what.replace("-", "_"))
        return handler(way, fields, request.headers.get("Authorization", "").removeprefix("Bearer "))

    def signup(self, _way, fields, _token):
        self.users[fields["username"]] = fields["password"]
        self.versions[fields["username"]] = 0
        return httpx2.Response(201, json={})

    def login(self, way, fields, _token):
        name = fields["username"]
        if self.users.get(name) != fields["password"]:
            return refusal()
        family = f"{next(NUMBERS):032x}"
        if way == "plain" and "many plain" not in self.flaws:
            for other in [
                key for key, (whose, kept, _) in self.current.items() if (whose, kept) == (name, way)
            ]:
                del self.current[other]
        return self.pair(way, name, family)

    def pair(self, way, name, family):
        said = {"fam": family, "name": name, "ver": self.versions[name], "exp": int(time.time()) + 600}
        tokens = {
            kind: hmac_signed({**said, "token_type": kind, "jti": f"a{next(NUMBERS):031x}"}, KEY.encode())
            for kind in ("access", "refresh")
        }
        self.current[family] = (name, way, tokens["refresh"])
        return httpx2.Response(200, json=tokens)

    def known(self, token):
        claims = claims_of(token)
        return claims if claims and claims["ver"] == self.versions.get(claims["name"]) else None

    def refresh(self, way, fields, _token):
        token = fields["refresh"].strip() if "trims" in self.flaws else fields["refresh"]
        spelt = token if "any spelling" not in self.flaws else token.rstrip("= ")
        claims = self.known(spelt)
        if claims is None or claims["token_type"] != "refresh" or claims["jti"] != claims["jti"].lower():
            return refusal()
        family = claims["fam"]
        current = self.current.get(family)
        if current and (current[2] == spelt or "many times" in self.flaws):
            return self.pair(way, claims["name"], family)
        if spelt.endswith(("=", " ")):
            return refusal()
        if current and "forgiving" not in self.flaws:
            whose = current[0]
            del self.current[family]
            if "sweeping" in self.flaws:
                self.current = {key: kept for key, kept in self.current.items() if kept[0] != whose}
            if "silent" not in self.flaws:
                said = f" {token}" if "talkative" in self.flaws else ""
                self.lines.append(f"refresh token reused: {family}{said}")
        return refusal()

    def logout(self, _way, fields, _token):
        if "logout" not in self.flaws:
            self.current.pop(claims_of(fields["refresh"])["fam"], None)
        return httpx2.Response(204)

    def password(self, _way, fields, token):
        name = claims_of(token)["name"]
        self.users[name] = fields["new_password"]
        if "password" not in self.flaws:
            self.versions[name] += 1
            self.current = {key: kept for key, kept in self.current.items() if kept[0] != name}
        return httpx2.Response(204)

    def me(self, way, _fields, token):
        claims = self.known(token)
        if claims is None or (way == "jwt" and claims["fam"] not in self.current):
            return refusal()
        return httpx2.Response(200, json={"username": claims["name"]})


def refusal():
    return httpx2.Response(401, json={"detail": "no"}, headers={"WWW-Authenticate": "Bearer"})


def outcome_on(site, attack):
    container = SimpleNamespace(logs=lambda: "\n".join(site.lines).encode())
    stage = a_stage(site, container=container)
    stage.engine.containers = lambda _service: [container]
    stage.settings.jwt_key = KEY
    return ATTACKS[attack].run(stage)


@pytest.mark.parametrize("attack", ["A3-01", "A3-02", "A3-07", "A3-08", "A3-12"])
def test_a_site_that_keeps_its_chains_passes(attack):
    outcome = outcome_on(Chains(), attack)
    assert (outcome.verdict, outcome.reason) == (Verdict.PASS, "")


@pytest.mark.parametrize(
    ("attack", "flaw", "seen"),
    [
        ("A3-01", "many times", "jwt: spent token 200"),
        ("A3-01", "forgiving", "jwt: its successor 200"),
        ("A3-01", "silent", "jwt: events logged 0"),
        ("A3-01", "talkative", "jwt: tokens in the log True"),
        ("A3-01", "sweeping", "jwt: another chain by jwt 401"),
        ("A3-01", "many plain", "plain: another chain by plain 200"),
        ("A3-02", "forgiving", "jwt: alive afterwards 1"),
        ("A3-02", "silent", "jwt: events logged 0"),
        ("A3-07", "logout", "jwt: refresh afterwards 200"),
        ("A3-08", "password", "jwt: old access 200"),
        ("A3-12", "many times", "jwt: with = 200, then as issued 200"),
    ],
)
def test_one_flaw_is_found(attack, flaw, seen):
    site = Chains(flaw, "any spelling") if attack == "A3-12" else Chains(flaw)
    outcome = outcome_on(site, attack)
    assert (outcome.verdict, outcome.seen) == (Verdict.FAIL, seen)
