"""A1: signatures and headers of tokens (RFC 8725, sections 3.1 to 3.3 and 3.10)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import partial

from serverlab.attacks.forge import (
    Forger,
    changed,
    hmac_signed,
    segment,
    split,
    unsigned,
)
from serverlab.attacks.refusals import all_refused
from serverlab.attacks.rows import Tokens, all_accepted, both, refused, sent, verify
from serverlab.attacks.stage import Attack, Outcome, Stage, failed, passed, said

SIZES = (4 << 10, 8 << 10, 16 << 10, 65 << 10, 1 << 20)
ANY_REFUSAL = frozenset({0, 400, 401, 413, 414, 431})
NONE_SPELLINGS = {
    "A1-01": "none",
    "A1-02": "None",
    "A1-03": "NONE",
    "A1-04": "nOnE",
    "A1-05": "none ",
    "A1-06": "",
}


def _unsigned_row(name: str, algorithm: str) -> Attack:
    def forged(forger: Forger) -> Tokens:
        yield "no signature", unsigned(forger.claims, changed(forger.header, alg=algorithm))
        yield "no kid either", unsigned(forger.claims, {"alg": algorithm, "typ": "JWT"})

    return refused(name, f"alg {algorithm!r} without a signature", forged)


def _none_with_signature(forger: Forger) -> Tokens:
    _, payload, signature = split(forger.token)
    header = segment({"alg": "none", "typ": "JWT"})
    yield "the old signature", f"{header}.{payload}.{signature}"
    yield "two segments", f"{header}.{payload}"


def _odd_algorithms(forger: Forger) -> Tokens:
    yield "no alg", forger.headed(alg=...)
    odd: dict[str, object] = {
        "null": None,
        "a list": [forger.header["alg"]],
        "a number": 256,
        "an object": {},
        "true": True,
    }
    for name, value in odd.items():
        yield f"alg is {name}", forger.headed(alg=value)


def _broken_signatures(forger: Forger) -> Tokens:
    header, payload, signature = split(forger.token)
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    yield "none", f"{header}.{payload}."
    yield "cut short", f"{header}.{payload}.{signature[:-4]}"
    yield "longer", f"{header}.{payload}.{signature}AAAA"
    yield "one bit flipped", f"{header}.{payload}.{segment(bytes([raw[0] ^ 1]) + raw[1:])}"
    yield "of another token", f"{header}.{payload}.{split(forger.saying(jti='0' * 32))[2]}"


def _changed_payloads(forger: Forger) -> Tokens:
    header, _, signature = split(forger.token)
    changes: dict[str, dict[str, object]] = {
        "another user": {"user_id": "2"},
        "more rights": {"role": "admin", "is_staff": True},
        "a longer life": {"exp": 4_000_000_000},
    }
    for name, change in changes.items():
        yield name, f"{header}.{segment(changed(forger.claims, **change))}.{signature}"


def _other_hashes(forger: Forger) -> Tokens:
    for algorithm, digest in (("HS384", "sha384"), ("HS512", "sha512")):
        header = changed(forger.header, alg=algorithm)
        yield algorithm, hmac_signed(forger.claims, forger.secret, header=header, digest=digest)


def _critical(forger: Forger) -> Tokens:
    yield "an unknown name", forger.headed(crit=["lab"], lab=True)
    yield "an absent name", forger.headed(crit=["exp"])
    yield "an empty list", forger.headed(crit=[])
    yield "no list", forger.headed(crit="lab", lab=True)
    yield "b64 in crit", forger.headed(crit=["b64"], b64=False)
    yield "b64 alone", forger.headed(b64=False)


def _segments(forger: Forger) -> Tokens:
    header, payload, signature = split(forger.token)
    yield "one segment", payload
    yield "two segments", f"{header}.{payload}"
    yield "four segments", f"{forger.token}.{signature}"
    encrypted = segment({"alg": "dir", "enc": "A256GCM"})
    yield "five segments, as of a JWE", f"{encrypted}..{payload}.{payload}.{signature}"
    yield "nothing but dots", ".."
    yield "a token in a token", forger.signed(forger.token.encode(), changed(forger.header, cty="JWT"))


def _extra_headers(forger: Forger) -> Tokens:
    yield "zip", forger.headed(zip="DEF")
    yield "cty", forger.headed(cty="JWT")


def _shapes(stage: Stage) -> Outcome:
    return both(all_refused(stage, sent(stage, _segments)), all_accepted(sent(stage, _extra_headers)))


def _two_algorithms(forger: Forger) -> Tokens:
    for first, second in (("none", "HS256"), ("HS256", "none")):
        header = f'{{"alg": "{first}", "typ": "JWT", "alg": "{second}"}}'.encode()
        yield f"{first}, then {second}", unsigned(forger.claims, header)


def _spellings(forger: Forger) -> Tokens:
    token = next(each for each in _tokens(forger) if set("-_") & set(split(each)[2]))
    header, payload, signature = split(token)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = last[last.index(signature[-1]) ^ 1]
    yield "unused bits of the last character", f"{header}.{payload}.{signature[:-1]}{other}"
    yield "padding", f"{token}="
    yield "padding within", f"{header}=.{payload}.{signature}"
    yield "%0a within", f"{header}.{payload}.{signature[:9]}%0a{signature[9:]}"
    yield "the other alphabet", f"{header}.{payload}.{signature.replace('-', '+').replace('_', '/')}"


def _tokens(forger: Forger) -> Iterator[str]:
    """Right tokens that differ in their ids."""
    for number in range(1000):
        yield forger.saying(jti=f"{number:032x}")


def _encodings(forger: Forger) -> Tokens:
    text = json.dumps(dict(forger.claims))
    payloads = {
        "invalid UTF-8": text.encode().replace(b"user", b"us\xff\xfe"),
        "UTF-16": text.encode("utf-16"),
        "UTF-16 without a mark": text.encode("utf-16-le"),
        "a byte order mark": text.encode("utf-8-sig"),
        "no JSON": b"{",
        "a list": b"[]",
        "NaN": text[:-1].encode() + b', "odd": NaN, "exp": NaN}',
    }
    for name, payload in payloads.items():
        yield f"payload: {name}", forger.signed(payload)
    header = json.dumps(forger.header)
    for name, raw in {
        "UTF-16": header.encode("utf-16"),
        "a list": b"[]",
        "invalid UTF-8": b'{"alg":"\xff"}',
    }.items():
        yield f"header: {name}", forger.signed(header=raw)


def _nesting(forger: Forger) -> Tokens:
    for depth in (60_000, 100_000):
        deep = b"[" * depth + b"]" * depth
        yield f"payload nested {depth}", forger.signed(b'{"odd": ' + deep + b"}")
        yield f"header nested {depth}", forger.signed(header=b'{"alg": ' + deep + b"}")


def _odd_json(stage: Stage) -> Outcome:
    return both(
        all_refused(stage, sent(stage, _encodings)), all_refused(stage, sent(stage, _nesting, in_body=True))
    )


def _sizes(stage: Stage) -> Outcome:
    """The largest sizes that reach the app, which answers 401, are kept: each server has a limit of its own."""
    seen, reached = [], {"header": 0.0, "body": 0.0}
    for size in SIZES:
        token = "a" * (size - 2) + ".."
        sending = {"header": partial(stage.me, token), "body": partial(verify, stage, token, way="jwt")}
        for place, send in sending.items():
            first, second = send(), send()
            seen.append(f"{size >> 10} KiB in the {place}: {said(first.status)}")
            if first.status not in ANY_REFUSAL or first.status != second.status:
                return failed(
                    f"{seen[-1]}, then {said(second.status)}", "expected the same refusal twice, and no 5xx"
                )
            if first.status == 401:
                reached[place] = size / 1024
    control = stage.me(stage.access)
    if control.status != 200:
        return failed(said(control.status), "the true credential is refused afterwards")
    return passed("; ".join(seen), **{f"largest_{place}_kib": value for place, value in reached.items()})


ATTACKS = (
    *(_unsigned_row(name, algorithm) for name, algorithm in NONE_SPELLINGS.items()),
    refused(
        "A1-07",
        "alg none with a signature that was valid, or without the third segment",
        _none_with_signature,
    ),
    refused("A1-08", "alg missing, null, or no text, signed with the right key", _odd_algorithms),
    refused("A1-09", "no signature, a broken one, that of another token", _broken_signatures),
    refused("A1-10", "another payload under an old signature", _changed_payloads),
    refused("A1-11", "another hash with the right key", _other_hashes),
    refused("A1-19", "critical header extensions that nobody knows", _critical),
    Attack(
        "A1-20",
        "one, two, four, five segments; a nested token; zip and cty",
        "401; zip and cty ignored",
        _shapes,
        quick=True,
    ),
    refused("A1-21", "two alg in one header, unsigned", _two_algorithms),
    refused("A1-22", "another spelling of the same bytes", _spellings),
    Attack("A1-23", "JSON in odd encodings, or nested 60 000 deep", "401, at once", _odd_json, quick=True),
    Attack(
        "A1-24",
        "tokens of 4 KiB to 1 MiB, in a header and in a body",
        "a stable refusal, no 5xx",
        _sizes,
        quick=True,
    ),
)
