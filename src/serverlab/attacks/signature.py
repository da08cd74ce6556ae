"""A1: signatures and headers of tokens (RFC 8725, sections 3.1 to 3.3 and 3.10)."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import RSAKey

from serverlab.attacks.forge import (
    Forger,
    Key,
    changed,
    hmac_of,
    hmac_signed,
    segment,
    split,
    unsigned,
)
from serverlab.attacks.inside import run as run_inside
from serverlab.attacks.rows import Tokens, all_accepted, both, refused, sent, verify
from serverlab.attacks.stage import Attack, Outcome, Stage, all_refused, failed, passed, said

COMMON_KEYS = ("secret", "password", "changeme", "your-256-bit-secret", "jwt", "key", "0" * 32)
KIDS = {  # what a naive look-up by the name would make the key
    "an empty name": ("", b""),
    "an empty file": ("../../../../dev/null", b""),
    "a file with known content": ("/proc/sys/kernel/randomize_va_space", b"2\n"),
    "SQL": ("' UNION SELECT 'known' -- ", b"known"),
    "a command": ("|sleep 5", b""),
}
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


def _public_key_as_secret(forger: Forger) -> Tokens:
    for kid, public in _public_keys(forger):
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        spellings = {
            "PEM": pem,
            "PEM without a last line feed": pem.rstrip(b"\n"),
            "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
            "PKCS#1 PEM": public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1),
            "DER": public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
            "ssh-rsa": public.public_bytes(
                serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
            ),
            "JWK": json.dumps(RSAKey.import_key(pem).as_dict(private=False)).encode(),
        }
        for name, secret in spellings.items():
            header = {"alg": "HS256", "typ": "JWT", "kid": kid}
            yield f"{name} as the secret", hmac_signed(forger.claims, secret, header=header)


def _public_keys(forger: Forger) -> Iterator[tuple[str, rsa.RSAPublicKey]]:
    for key in forger.keys:
        if key.public is not None:
            yield key.kid, key.public


def _mixed_algorithms(forger: Forger) -> Tokens:
    right = forger.header
    signed = f"{segment(right)}.{segment(forger.claims)}"
    yield "RS256 over an HMAC", f"{signed}.{segment(hmac_of(forger.secret, signed.encode()))}"
    curve = ec.generate_private_key(ec.SECP256R1())
    yield "RS256 over ECDSA", f"{signed}.{segment(_ecdsa(curve, signed))}"
    elliptic = f"{segment(changed(right, alg='ES256'))}.{segment(forger.claims)}"
    yield "ES256 by a strange key", f"{elliptic}.{segment(_ecdsa(curve, elliptic))}"
    yield "ES256 with r = s = 0", f"{elliptic}.{segment(bytes(64))}"
    yield "RS256 of zeros", f"{signed}.{segment(bytes(256))}"


def _ecdsa(key: ec.EllipticCurvePrivateKey, signed: str) -> bytes:
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _guessed_keys(stage: Stage) -> Outcome:
    keys = {"": b"", "Django's secret key": stage.settings.secret_key.encode()}
    keys |= {guess: guess.encode() for guess in COMMON_KEYS}

    def forged(forger: Forger) -> Tokens:
        for name, key in keys.items():
            yield f"signed with {name!r}", hmac_signed(forger.claims, key, header=forger.header)

    return all_refused(stage, sent(stage, forged))


def _short_key(stage: Stage) -> Outcome:
    environment = {"DJANGO_JWT_KEY": "k" * 31, "DJANGO_JWT_KEYS": "", "DJANGO_JWT_ALGORITHM": "HS256"}
    code, output = run_inside(stage, ["manage.py", "check"], environment=environment)
    if code and "DJANGO_JWT_KEY has 31 bytes" in output:
        return passed("start refused")
    return failed(f"exit code {code}", "a key of 31 bytes must keep the app from starting, with a reason")


def _named_keys(forger: Forger) -> Tokens:
    for name, (kid, key) in KIDS.items():
        yield name, hmac_signed(forger.claims, key, header=changed(forger.header, kid=kid))


def _long_name(forger: Forger) -> Tokens:
    yield "10 kB", hmac_signed(forger.claims, b"", header=changed(forger.header, kid="k" * 10_000))


def _by_names(stage: Stage) -> Outcome:
    return both(
        all_refused(stage, sent(stage, _named_keys)),
        all_refused(stage, sent(stage, _long_name, in_body=True)),
    )


def _unknown_names(forger: Forger) -> Tokens:
    for name, (kid, _) in KIDS.items():
        yield name, forger.headed(kid=kid)
    odd: tuple[object, ...] = (1, None, [forger.header["kid"]], {})
    for value in odd:
        yield f"kid is {value!r}", forger.headed(kid=value)


def _names_with_right_key(stage: Stage) -> Outcome:
    def no_name(forger: Forger) -> Tokens:
        yield "no kid", forger.headed(kid=...)

    return both(all_refused(stage, sent(stage, _unknown_names)), all_accepted(sent(stage, no_name)))


def _foreign_keys(stage: Stage) -> Outcome:
    with _listener(stage) as (address, hits):
        if not _reaches(stage, address):
            return failed("the listener cannot be reached", "the row shows nothing without a control")
        control = len(hits)
        refusals = all_refused(stage, sent(stage, partial(_own_key, address=address)))
        ignored = all_accepted(sent(stage, partial(_pointing, address=address)))
        if len(hits) > control:
            return failed(f"{len(hits) - control} connections", f"the stack asked {address} for a key")
    return both(refusals, ignored)


def _own_key(forger: Forger, *, address: str) -> Tokens:
    own = rsa.generate_private_key(65537, 2048)
    jwk = RSAKey.import_key(own.public_key()).as_dict(private=False)
    key = Key("own", "RS256", lambda signed: own.sign(signed, padding.PKCS1v15(), hashes.SHA256()))
    embedded = {"jku": f"http://{address}/keys", "x5u": f"http://{address}/cert", "jwk": jwk, "x5c": ["AAAA"]}
    for name, value in embedded.items():
        for kid in ("own", forger.header["kid"]):
            header = {"alg": "RS256", "typ": "JWT", "kid": kid, name: value}
            yield f"{name}, kid {kid}", forger.signed(header=header, key=key)


def _pointing(forger: Forger, *, address: str) -> Tokens:
    for name in ("jku", "x5u"):
        yield f"{name} on a right token", forger.headed(**{name: f"http://{address}/keys"})


@contextmanager
def _listener(stage: Stage) -> Iterator[tuple[str, list[str]]]:
    """Where a listener waits that the stack could reach, and who has connected to it so far."""
    networks = stage.engine.service("app").attrs["NetworkSettings"]["Networks"]
    gateway = next(iter(networks.values()))["Gateway"]
    hits: list[str] = []
    with socket.create_server((gateway, 0)) as server:
        thread = threading.Thread(target=_count, args=(server, hits), daemon=True)
        thread.start()
        try:
            yield f"{gateway}:{server.getsockname()[1]}", hits
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _count(server: socket.socket, hits: list[str]) -> None:
    while True:
        try:
            connection, (host, _) = server.accept()
        except OSError:
            return
        hits.append(host)
        connection.close()


def _reaches(stage: Stage, address: str) -> bool:
    host, _, port = address.partition(":")
    connect = f"import socket; socket.create_connection(({host!r}, {port}), 5).recv(1)"
    return run_inside(stage, ["-I", "-S", "-c", connect])[0] == 0


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
    seen = []
    for size in (4 << 10, 8 << 10, 16 << 10, 65 << 10, 1 << 20):
        token = "a" * (size - 2) + ".."
        for place, send in (
            ("header", partial(stage.me, token)),
            ("body", partial(verify, stage, token, way="jwt")),
        ):
            first, second = send(), send()
            seen.append(f"{size >> 10} KiB in the {place}: {said(first.status)}")
            if first.status not in ANY_REFUSAL or first.status != second.status:
                return failed(
                    f"{seen[-1]}, then {said(second.status)}", "expected the same refusal twice, and no 5xx"
                )
    control = stage.me(stage.access)
    return (
        passed("; ".join(seen)) if control.status == 200 else failed(said(control.status), "control refused")
    )


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
    refused("A1-12", "the public RSA key taken for an HMAC secret", _public_key_as_secret, profile="guarded"),
    refused(
        "A1-13",
        "signatures of another kind of key than the header says",
        _mixed_algorithms,
        profile="guarded",
    ),
    Attack("A1-14", "signed with an empty key, Django's secret key, common secrets", "401", _guessed_keys),
    Attack("A1-15", "a signing key of less than 32 bytes", "the app does not start", _short_key),
    Attack(
        "A1-16",
        "kid as a path, SQL or a command, signed with what that would give",
        "401, no delay",
        _by_names,
    ),
    Attack("A1-17", "odd kid on a rightly signed token", "401; without a kid 200", _names_with_right_key),
    Attack(
        "A1-18",
        "jku, x5u, jwk, x5c with a key of the attacker's",
        "401, nobody is asked for a key",
        _foreign_keys,
    ),
    refused("A1-19", "critical header extensions that nobody knows", _critical),
    Attack(
        "A1-20",
        "one, two, four, five segments; a nested token; zip and cty",
        "401; zip and cty ignored",
        _shapes,
    ),
    refused("A1-21", "two alg in one header, unsigned", _two_algorithms),
    refused("A1-22", "another spelling of the same bytes", _spellings),
    Attack("A1-23", "JSON in odd encodings, or nested 60 000 deep", "401, at once", _odd_json),
    Attack(
        "A1-24", "tokens of 4 KiB to 1 MiB, in a header and in a body", "a stable refusal, no 5xx", _sizes
    ),
)
