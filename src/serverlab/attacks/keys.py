"""A1: keys of tokens, and who says which one it is (RFC 8725, sections 3.1, 3.5 and 3.10)."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID
from joserfc.jwk import RSAKey

from serverlab.attacks.forge import Forger, Key, changed, hmac_of, hmac_signed, segment
from serverlab.attacks.inside import run as run_inside
from serverlab.attacks.refusals import all_refused
from serverlab.attacks.rows import Tokens, all_accepted, both, refused, sent
from serverlab.attacks.stage import UNSERVED, Attack, Outcome, Stage, failed, passed

COMMON_KEYS = ("secret", "password", "changeme", "your-256-bit-secret", "jwt", "key", "0" * 32)
KIDS = {  # what a naive look-up by the name would make the key
    "an empty name": ("", b""),
    "an empty file": ("../../../../dev/null", b""),
    "a file with known content": ("/proc/sys/kernel/randomize_va_space", b"2\n"),
    "SQL": ("' UNION SELECT 'known' -- ", b"known"),
    "a command": ("|sleep 5", b""),
}


def _public_key_as_secret(forger: Forger) -> Tokens:
    for kid, public in _public_keys(forger):
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        certificate = _certificate(public)
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
            "X.509 certificate": certificate.public_bytes(serialization.Encoding.PEM),
            "X.509 certificate in DER": certificate.public_bytes(serialization.Encoding.DER),
        }
        for name, secret in spellings.items():
            header = {"alg": "HS256", "typ": "JWT", "kid": kid}
            yield f"{name} as the secret", hmac_signed(forger.claims, secret, header=header)


def _certificate(public: rsa.RSAPublicKey) -> x509.Certificate:
    """A certificate of the key for today; nobody asks who signed it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "serverlab")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


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
    environment = {"DJANGO_JWT_KEY": "k" * 31, "DJANGO_JWT_ALGORITHM": "HS256"}
    environment |= dict.fromkeys(("DJANGO_JWT_KEY_FILE", "DJANGO_JWT_KEYS_FILE", "DJANGO_JWT_KEYS"), "")
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


ATTACKS = (
    refused("A1-12", "the public RSA key taken for an HMAC secret", _public_key_as_secret, profile="guarded"),
    refused(
        "A1-13",
        "signatures of another kind of key than the header says",
        _mixed_algorithms,
        profile="guarded",
    ),
    Attack(
        "A1-14",
        "signed with an empty key, Django's secret key, common secrets",
        "401",
        _guessed_keys,
        quick=True,
    ),
    Attack(
        "A1-15", "a signing key of less than 32 bytes", "the app does not start", _short_key, beside=UNSERVED
    ),
    Attack(
        "A1-16",
        "kid as a path, SQL or a command, signed with what that would give",
        "401, no delay",
        _by_names,
        quick=True,
    ),
    Attack(
        "A1-17",
        "odd kid on a rightly signed token",
        "401; without a kid 200",
        _names_with_right_key,
        quick=True,
    ),
    Attack(
        "A1-18",
        "jku, x5u, jwk, x5c with a key of the attacker's",
        "401, nobody is asked for a key",
        _foreign_keys,
        quick=True,
    ),
)
