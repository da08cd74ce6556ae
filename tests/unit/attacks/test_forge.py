"""What is forged is what it says: PyJWT, which the app verifies with, agrees where the forger is right."""

from __future__ import annotations

import json
import time

import jwt
import pytest

from serverlab.attacks.forge import changed, forger_of, segment, split
from serverlab.attacks.profiles import PROFILES
from serverlab.compose import StackSettings
from serverlab.model.definitions import Protocol, Target
from serverlab.model.records import CoreSplit

DAY_S = 86_400
"""Longer than all tests take, for this is read before the first of them runs."""

CLAIMS = {"user_id": "1", "aud": "serverlab", "exp": int(time.time()) + DAY_S}
TARGET = Target(server="gunicorn", variant="gthread")


def forger_under(profile):
    settings = StackSettings(
        target=TARGET,
        protocol=Protocol.HTTP,
        cpus=1,
        replicas=1,
        split=CoreSplit(stack="0", generator="1", disjoint=True),
        label="test",
        app=PROFILES[profile].app(),
    )
    return settings, forger_of(settings, "as.it.came", CLAIMS)


def test_a_shared_key_signs_what_pyjwt_accepts():
    settings, forger = forger_under("open")
    token = forger.signed()
    assert jwt.decode(token, settings.jwt_key, algorithms=["HS256"], audience="serverlab") == CLAIMS
    assert jwt.get_unverified_header(token) == forger.header


def test_each_key_of_a_rotation_signs_what_pyjwt_accepts_with_its_public_half():
    settings, forger = forger_under("guarded")
    published = jwt.PyJWKSet.from_dict(json.loads(settings.app["LAB_JWT_KEYS"]))
    assert [key.kid for key in forger.keys] == ["second", "first"]
    for key in forger.keys:
        token = forger.signed(header=key.header, key=key)
        public = published[key.kid].key.public_key()
        assert jwt.decode(token, public, algorithms=["RS256"], audience="serverlab") == CLAIMS


def test_another_claim_is_signed_as_well():
    settings, forger = forger_under("open")
    token = forger.saying(user_id="2", aud=...)
    assert jwt.decode(token, settings.jwt_key, algorithms=["HS256"]) == {"user_id": "2", "exp": CLAIMS["exp"]}


def test_an_old_signature_does_not_fit_another_payload():
    settings, forger = forger_under("open")
    header, _, signature = split(forger.signed())
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(
            f"{header}.{segment(changed(CLAIMS, user_id='2'))}.{signature}",
            settings.jwt_key,
            algorithms=["HS256"],
        )


def test_bytes_are_taken_as_they_are():
    assert segment(b"\xff\xfe") == "__4"
    assert segment({"a": 1}) == "eyJhIjogMX0"


def test_each_call_of_a_profile_makes_other_keys():
    first, second = (PROFILES["guarded"].app()["LAB_JWT_KEYS"] for _ in range(2))
    assert first != second
