"""A2: claims, of tokens that are signed as they should be (RFC 7519, section 4.1; RFC 8725, sections 3.8 to 3.12)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import partial

from serverlab.attacks.forge import Forger
from serverlab.attacks.refusals import all_refused
from serverlab.attacks.rows import Sent, Tokens, accepted, all_accepted, both, refused, sent
from serverlab.attacks.stage import WAYS, Attack, Outcome, Stage, failed, passed, said
from serverlab.probe import Answer

PUBLIC = "/api/ping/"
LATER_S = 3600
REFUSALS = frozenset({400, 401})


def _wrong(claim: str, values: Mapping[str, object]) -> partial[Tokens]:
    """What forges tokens whose claim has each of these values, by their names; ``...`` is none."""
    return partial(_with_values, claim=claim, values=values)


def _with_values(forger: Forger, *, claim: str, values: Mapping[str, object]) -> Tokens:
    for name, value in values.items():
        yield f"{claim} {name}", forger.saying(**{claim: value})


def _ended(forger: Forger) -> Tokens:
    now = int(time.time())
    for name, value in {
        "a minute ago": now - 60,
        "missing": ...,
        "null": None,
        "negative": -1,
        "0": 0,
    }.items():
        yield f"exp {name}", forger.saying(exp=value)
    yield "exp now", forger.saying(exp=int(time.time()))


def _odd_ends(forger: Forger) -> Tokens:
    yield from _with_values(
        forger,
        claim="exp",
        values={
            "never": "never",
            "a list": [4_000_000_000],
            "true": True,
            "a fraction": time.time() + LATER_S,
        },
    )
    for literal in ("1e400", "Infinity", "-Infinity", "NaN"):
        text = json.dumps({**forger.claims, "exp": "HERE"}).replace('"HERE"', literal)
        yield f"exp {literal}", forger.signed(text.encode())


def _large_ends(forger: Forger) -> Tokens:
    yield "exp as a text of digits", forger.saying(exp=str(int(time.time()) + LATER_S))
    for power in (12, 20, 308):
        yield f"exp 10^{power}", forger.saying(exp=10**power)


def _boundary(stage: Stage) -> Outcome:
    def within(forger: Forger) -> Tokens:
        yield "exp in two seconds", forger.saying(exp=int(time.time()) + 2)

    def past(forger: Forger) -> Tokens:
        yield "exp a second ago", forger.saying(exp=int(time.time()) - 1)
        yield "exp in this second", forger.saying(exp=int(time.time()))

    return both(all_accepted(sent(stage, within)), all_refused(stage, sent(stage, past)))


def _too_early(forger: Forger) -> Tokens:
    later = int(time.time()) + LATER_S
    for claim in ("nbf", "iat"):
        yield f"{claim} in an hour", forger.saying(**{claim: later})
        yield f"{claim} a text", forger.saying(**{claim: "now"})
        yield f"{claim} a list", forger.saying(**{claim: [1]})


def _other_audiences(forger: Forger) -> Tokens:
    right = str(forger.claims["aud"])
    other = {"serverlab": "serverlab-plain", "serverlab-plain": "serverlab"}[right]
    values: dict[str, object] = {"wrong": "elsewhere", "missing": ..., "empty": "", "null": None}
    values |= {
        "a list without us": ["elsewhere"],
        "an empty list": [],
        "the other way's": other,
        "upper case": right.upper(),
    }
    yield from _with_values(forger, claim="aud", values=values)


def _listed_audience(forger: Forger) -> Tokens:
    yield "a list with us alone", forger.saying(aud=[forger.claims["aud"]])
    yield "a list with us and others", forger.saying(aud=["elsewhere", forger.claims["aud"]])


def _stale_versions(forger: Forger) -> Tokens:
    version = int(forger.claims["ver"])
    values = {"missing": ..., "of later": version + 1, "negative": -1, "a text": str(version), "true": True}
    yield from _with_values(forger, claim="ver", values=values)


def _wrong_kinds(stage: Stage) -> Outcome:
    """Refresh tokens where access tokens belong, and the other way round; user02's, whose tokens nobody else needs."""

    def asked() -> Sent:
        for way in WAYS:
            tokens = stage.sign_in("user02", way=way)
            yield f"{way}: refresh token as a bearer", partial(stage.me, tokens.refresh, way=way)
            yield f"{way}: access token at refresh", partial(stage.refresh, tokens.access, way=way)
            yield f"{way}: access token at logout", partial(stage.log_out, tokens.access, way=way)

    return all_refused(stage, asked())


def _types(forger: Forger) -> Tokens:
    for name, value in {"at+jwt": "at+jwt", "missing": ..., "JWE": "JWE"}.items():
        yield f"typ {name}", forger.headed(typ=value)


def _two_users(stage: Stage) -> Outcome:
    """The claim of another user comes first, that of the holder last: every reader has to find the last."""
    for way in WAYS:
        forger = stage.forger(way=way)
        text = json.dumps(dict(forger.claims))
        token = forger.signed(b'{"user_id": "2", "name": "user02", ' + text[1:].encode())
        answer = stage.me(token, way=way)
        if answer.status != 200 or str(answer.document.get("id")) != forger.claims["user_id"]:
            return failed(
                f"{way}: {answer.said}", "the last of two claims counts, for everybody who reads them"
            )
        books = stage.ask("GET", "/api/books/?page_size=1", headers={"Authorization": f"Bearer {token}"})
        if books.status != 200:
            return failed(
                f"{way}: {books.status} by the catalogue",
                "expected the same reading as of the way's own view",
            )
    return passed("the last one, everywhere")


def _elsewhere(stage: Stage) -> Outcome:
    def asked() -> Sent:
        for way in WAYS:
            path, token = f"/api/auth/{way}/me/", stage.members[way].access
            for name in ("token", "access_token", "jwt", "access"):
                yield f"{way}: ?{name}=", partial(stage.ask, "GET", f"{path}?{name}={token}")
            for name in ("token", "access", "jwt", "serverlab_access", "Authorization"):
                yield (
                    f"{way}: cookie {name}",
                    partial(stage.ask, "GET", path, headers={"Cookie": f"{name}={token}"}),
                )
            yield f"{way}: a token without its scheme", partial(_authorized, stage, way, token)
            yield f"{way}: scheme Token", partial(_authorized, stage, way, f"Token {token}")
            yield f"{way}: scheme Basic", partial(_authorized, stage, way, f"Basic {token}")

    return all_refused(stage, asked())


def _authorized(stage: Stage, way: str, *values: str) -> Answer:
    """The answer to ``me`` with these Authorization headers."""
    return stage.ask("GET", f"/api/auth/{way}/me/", headers=[("Authorization", value) for value in values])


def _schemes(stage: Stage) -> Outcome:
    def asked() -> Sent:
        for way in WAYS:
            for scheme in ("bearer", "BEARER", "bEaReR"):
                yield (
                    f"{way}: {scheme}",
                    partial(_authorized, stage, way, f"{scheme} {stage.members[way].access}"),
                )

    return all_accepted(asked())


def _odd_headers(stage: Stage) -> Outcome:
    def asked() -> Sent:
        for way in WAYS:
            token = stage.members[way].access
            odd = {
                "no token": ("Bearer",),
                "an empty header": ("",),
                "two tokens": (f"Bearer {token} {token}",),
                "two, with a comma": (f"Bearer {token},{token}",),
                "two headers in one": (f"Bearer {token}, Bearer {token}",),
                "two headers": (f"Bearer {token}", f"Bearer {token}"),
                "two headers, the first one wrong": ("Bearer wrong", f"Bearer {token}"),
                "two headers, the last one wrong": (f"Bearer {token}", "Bearer wrong"),
            }
            for name, values in odd.items():
                yield f"{way}: {name}", partial(_authorized, stage, way, *values)

    return all_refused(stage, asked(), statuses=REFUSALS)


def _public_view(stage: Stage) -> Outcome:
    plain = stage.ask("GET", PUBLIC).status
    wrong = stage.ask("GET", PUBLIC, headers={"Authorization": "Bearer wrong"}).status
    seen = f"{said(wrong)}, without a token {said(plain)}"
    return (
        passed(seen)
        if (plain, wrong) == (200, 200)
        else failed(seen, "a view for everybody looks at no token")
    )


def _right(forger: Forger) -> Tokens:
    yield "as it was issued", forger.token
    yield "made by the lab", forger.saying(jti="0" * 32)


USER_IDS = {
    "missing": ...,
    "null": None,
    "of nobody": "999999",
    "huge": "9" * 18,
    "beyond 64 bits": "9" * 40,
    "0": "0",
}
ODD_USER_IDS: dict[str, object] = {
    "a word": "abc",
    "a list": ["1"],
    "an object": {"id": "1"},
    "with NUL": "1\0",
    "SQL": "1 OR 1=1",
}
CONFUSED_USER_IDS: dict[str, object] = {
    "true": True,
    "a number": 1,
    "a fraction": 1.5,
    "with blanks": " 1 ",
    "with a sign": "+1",
    "with a zero": "01",
    "in other digits": "\u0661",
    "with a line feed": "1\n",
}
ISSUERS: dict[str, object] = {
    "wrong": "elsewhere",
    "a part of ours": "server",
    "more than ours": "serverlab.example",
    "missing": ...,
    "a list with ours": ["serverlab"],
    "null": None,
}


def _ids(forger: Forger) -> Tokens:
    values: dict[str, dict[str, object]] = {
        "jti missing": {"jti": ...},
        "jti a number": {"jti": 1},
        "jti upper case": {"jti": "A" * 32},
    }
    values |= {"iat missing": {"iat": ...}, "fam missing": {"fam": ...}}
    for name, change in values.items():
        yield name, forger.saying(**change)


ATTACKS = (
    refused("A2-01", "exp past, this very second, missing, null, negative", _ended),
    refused("A2-02", "exp a word, infinite, a list, true", _odd_ends),
    refused("A2-03", "exp as a text of digits, or astronomic", _large_ends),
    Attack(
        "A2-04",
        "exp just within and just past: no leeway",
        "200 before it, 401 from it on",
        _boundary,
        quick=True,
    ),
    refused("A2-05", "nbf or iat in the future, or no number", _too_early),
    refused("A2-06", "aud wrong, missing, or that of the other way", _other_audiences),
    refused("A2-07", "aud a list that has us in it (we write a text)", _listed_audience),
    refused("A2-08", "iss wrong, a part of ours, missing, a list", _wrong("iss", ISSUERS)),
    refused("A2-09", "jti or iat missing, jti a number", _ids),
    refused(
        "A2-10",
        "token_type missing, in another case, a list",
        _wrong(
            "token_type", {"missing": ..., "Access": "Access", "a list": ["access"], "refresh": "refresh"}
        ),
    ),
    Attack(
        "A2-11",
        "a refresh token as a bearer, an access token as a refresh token",
        "401",
        _wrong_kinds,
        quick=True,
    ),
    accepted("A2-12", "typ at+jwt, missing, JWE: not what tells tokens apart here", _types),
    refused("A2-13", "user_id missing, null, of nobody, huge", _wrong("user_id", USER_IDS)),
    refused("A2-14", "user_id a word, a list, an object, with NUL", _wrong("user_id", ODD_USER_IDS)),
    refused(
        "A2-15", "user_id true, 1.5, with blanks, in Arabic digits", _wrong("user_id", CONFUSED_USER_IDS)
    ),
    Attack(
        "A2-16",
        "a claim twice: another user's, then the holder's",
        "the last one counts everywhere",
        _two_users,
        quick=True,
    ),
    refused(
        "A2-17", "ver, which every password change raises: missing or not the present one", _stale_versions
    ),
    Attack("A2-18", "a token in the URL, in a cookie, under another scheme", "401", _elsewhere, quick=True),
    Attack("A2-19", "the scheme in other cases (RFC 9110)", "200", _schemes, quick=True),
    Attack("A2-20", "no token, two tokens, two headers", "401 or 400", _odd_headers, quick=True),
    Attack("A2-21", "a wrong token on a view for everybody", "200, as without it", _public_view, quick=True),
    accepted("A2-22", "a valid token", _right),
)
