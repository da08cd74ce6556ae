"""TLS at the edge, against Mozilla's intermediate profile less what an ECDSA certificate cannot use."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography import x509

from serverlab.attacks import handshake, wire
from serverlab.attacks.stage import HARMLESS, Attack, Outcome, Stage, not_applicable
from serverlab.attacks.visitor import judged
from serverlab.model.records import Check

VERSIONS = {"TLSv1.2", "TLSv1.3"}
CIPHERS = {
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
}
GROUPS = {"X25519MLKEM768", "X25519", "prime256v1", "secp384r1"}
CLIENT = "openssl s_client -connect 127.0.0.1:8443"


def behind_edge(run: Callable[[Stage, int], Outcome]) -> Callable[[Stage], Outcome]:
    """An attack on the edge's TLS port, which only a stack with an edge has."""

    def asked(stage: Stage) -> Outcome:
        port = urlsplit(stage.tls_url or "").port
        return run(stage, port) if port else not_applicable("no TLS without the edge")

    return asked


def offer(_stage: Stage, port: int) -> Outcome:
    """W-30."""
    taken = handshake.ciphers(port)
    first, last = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"
    picked = {handshake.preferred(port, order) for order in ((first, last), (last, first))}
    return judged(
        [
            _equal("versions", handshake.versions(port), VERSIONS),
            _equal("suites of TLS 1.2", taken, CIPHERS),
            _equal("groups", handshake.groups(port), GROUPS),
            _equal("the client's first choice", picked, {first, last}),
        ],
        seen="TLS 1.2 and 1.3, three suites, four groups",
    )


def _equal(name: str, found: set[str], wanted: set[str]) -> Check:
    shown = ", ".join(sorted(found)) or "none"
    return Check(name=name, ok=found == wanted, detail=f"{shown}, expected {', '.join(sorted(wanted))}")


def misuse(stage: Stage, port: int) -> Outcome:
    """W-31."""
    with handshake.connected(port, handshake.client("TLSv1.2")) as secure:
        compressed = secure.compression()
        ticket = secure.session is not None and secure.session.has_ticket
        certificate = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")
    now = datetime.now(UTC)
    valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
    plain = wire.get(f"http://127.0.0.1:{port}", "/", "Host: 127.0.0.1")
    # s_client asks for a new handshake when a line begins with R
    again = _edge(stage, f"(sleep 0.3; echo R; sleep 0.5) | {CLIENT} -tls1_2")
    other = stage.client.get(f"https://127.0.0.1:{port}/healthz", headers={"Host": "other.example"})
    return judged(
        [
            Check(name="compression", ok=compressed is None, detail=f"{compressed}"),
            Check(name="tickets", ok=not ticket, detail="given out" if ticket else "none"),
            Check(name="certificate", ok=valid, detail="valid now" if valid else "not valid now"),
            Check(name="HTTP on the TLS port", ok=plain.status == 400, detail=str(plain.status or "closed")),
            Check(name="renegotiation", ok=_refused_again(again), detail=again.strip()[-120:]),
            Check(name="another name", ok=other.status_code == 400, detail=str(other.status_code)),
        ],
        seen="none of it",
    )


def _refused_again(said: str) -> bool:
    begun, _, rest = said.partition("RENEGOTIATING")
    return bool(
        begun and re.search(r"no renegotiation|unexpected eof|closed|reset|error", rest, re.IGNORECASE)
    )


def early_data(stage: Stage, port: int) -> Outcome:
    """W-32."""
    said = _edge(stage, f"(sleep 0.5) | {CLIENT} -tls1_3")
    allowed = {int(number) for number in re.findall(r"Max Early Data: (\d+)", said)}
    offered = handshake.agrees(port, handshake.client("TLSv1.3"))
    shown = f"at most {max(allowed, default=0)} bytes"
    return judged(
        [
            Check(name="TLS 1.3", ok=offered, detail="spoken" if offered else "not spoken"),
            Check(name="early data", ok="TLSv1.3" in said and not any(allowed), detail=shown),
        ],
        seen="no early data",
    )


def _edge(stage: Stage, command: str) -> str:
    """What a shell command in the edge's container says."""
    done = stage.engine.service("edge").exec_run(["sh", "-c", f"{command} 2>&1"])
    return str(done.output.decode(errors="replace"))


ATTACKS = (
    Attack(
        "W-30",
        "TLS: versions, suites, groups, who chooses",
        "Mozilla's intermediate profile, with X25519MLKEM768",
        behind_edge(offer),
        beside=HARMLESS,
    ),
    Attack(
        "W-31",
        "TLS: renegotiation, compression, tickets, plain HTTP, another name",
        "refused; the certificate is valid now",
        behind_edge(misuse),
        "guarded",
        beside=HARMLESS,
        waits_s=0.8,
    ),
    Attack(
        "W-32", "TLS 1.3: early data", "none is taken", behind_edge(early_data), beside=HARMLESS, waits_s=0.5
    ),
)
