"""Proves that a stack is what it claims to be, gives right answers, and refuses wrong tokens."""

from __future__ import annotations

import base64
import calendar
import hashlib
import json
import re
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from serverlab.compose import Container, Engine, StackDied, StackSettings, tails
from serverlab.formatting import harmless
from serverlab.model.definitions import Edge, Identity, Interface, Server, Variant
from serverlab.model.records import Check, Proof
from serverlab.model.switches import to_be_stated
from serverlab.tokens import Signer, control_token, signer_of, wrong_tokens

READY_DEADLINE_S = 60.0
READY_PAUSE_S = 0.02
LOOK_PAUSE_S = 0.25
"""How often it is looked whether a container has ended meanwhile: that costs the machine more than a question."""

ANSWER_TIMEOUT_S = 10.0
TRUSTING_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Stacks are asked without TLS; to read all authorities anew takes tens of milliseconds of CPU time for each client."""

ONE_REQUEST_EACH = httpx2.Limits(max_keepalive_connections=0)
USER = "user01"
PASSWORD = "lab-password"  # noqa: S105 - the seeded users' password, public on purpose
LOGIN = "/api/auth/jwt/login/"
PROFILE = "/api/auth/jwt/me/"
HEALTH = "/healthz"
BOOKS = "/api/books/"
FEED = "/ws/feed/"
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "c2VydmVybGFiIGhhbmRzaA==",
}
SEEDED_BOOKS = 500
IDENTITY_REQUESTS_PER_REPLICA = 8
DIGEST_LENGTH = 16
STATUS = "status "
"""Begins the detail of a check that was answered, but with another status."""


@dataclass(frozen=True)
class Expectation:
    """What a stack has to be."""

    settings: StackSettings
    server: Server
    variant: Variant
    identity: Identity
    edge: Edge | None

    @property
    def workers(self) -> int:
        """Worker processes over all replicas."""
        return self.workers_each * self.settings.replicas

    @property
    def workers_each(self) -> int:
        """Worker processes of one replica: as many as the stack was asked to have, else by the variant's formula."""
        return self.settings.workers or self.variant.workers.for_cpus(self.settings.cpus)

    @property
    def interface(self) -> Interface:
        """How the server calls the app."""
        return self.server.interface_of(self.variant)

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server itself can do, without its edge."""
        return self.server.capabilities_of(self.variant)

    @property
    def speaks_websocket(self) -> bool:
        """Whether the server itself, and not one beside it, holds the WebSockets."""
        return "websocket" in self.capabilities

    @property
    def multithread(self) -> bool | None:
        """What the app is told about threads; ASGI has no word for it."""
        if self.identity.multithread is not None:
            return self.identity.multithread
        return self.variant.threads != 1 if self.interface is Interface.WSGI else None


def front_url(engine: Engine, settings: StackSettings) -> str:
    """Where the stack answers for this machine."""
    return engine.url("edge", port=8080) if settings.target.edge else engine.url("app", port=8000)


def wait_ready(engine: Engine, settings: StackSettings, *, deadline_s: float = READY_DEADLINE_S) -> float:
    """Wait until the stack answers /readyz and return the seconds since its first app container started.

    Raises:
        StackDied: a container ended, or the deadline passed; with the last lines of its log.
    """
    url = front_url(engine, settings)
    give_up = time.monotonic() + deadline_s
    started = min(_started_at(container) for container in engine.containers("app"))
    look = time.monotonic()
    with httpx2.Client(timeout=2.0, verify=TRUSTING_NOBODY, trust_env=False) as client:
        while not _is_ready(client, url):
            if time.monotonic() >= look:
                if dead := engine.dead():
                    raise StackDied(f"{settings.target} did not start{tails(dead)}")
                look = time.monotonic() + LOOK_PAUSE_S
            if time.monotonic() > give_up:
                alive = tails(engine.containers("app"))
                hint = "See in its last lines what it waits for."
                raise StackDied(f"{settings.target} was not ready within {deadline_s:g} s{alive}", hint)
            time.sleep(READY_PAUSE_S)
    return time.time() - started


def prove(engine: Engine, expected: Expectation) -> Proof:
    """The proof of examine, for those who do not keep the list of packages."""
    return examine(engine, expected)[0]


def examine(engine: Engine, expected: Expectation) -> tuple[Proof, dict[str, str]]:
    """Put every question to the stack; return the answers and the installed packages' versions by name.

    A failed question is no exception. Each has a connection of its own: what becomes of kept-alive ones is for the load
    to find out. In the place of the packages the proof's identity has ``packages``, their digest; none where the stack
    did not state them.
    """
    url = front_url(engine, expected.settings)
    with httpx2.Client(
        base_url=url,
        timeout=ANSWER_TIMEOUT_S,
        limits=ONE_REQUEST_EACH,
        verify=TRUSTING_NOBODY,
        trust_env=False,
    ) as client:
        identities = [
            answered(client.get, "/lab/identity")
            for _ in range(IDENTITY_REQUESTS_PER_REPLICA * expected.settings.replicas)
        ]
        first = identities[0].document
        signed_in = answered(client.post, LOGIN, json={"username": USER, "password": PASSWORD})
        access = str(signed_in.document.get("access", ""))
        processes = _server_processes(engine, expected)
        workers = len(processes) - expected.identity.supervisors * expected.settings.replicas
        checks = [
            *_server_checks(identities, expected),
            _equal("worker processes", found=workers, wanted=expected.workers),
            _status(HEALTH, answered(client.get, HEALTH), 200),
            _websocket_check(client, expected),
            _status("token for the right password", signed_in, 200),
            *_answer_checks(client, access),
            *_refusal_checks(client, access, signer=signer_of(expected.settings)),
        ]
    packages = {_normal(name): str(version) for name, version in first.get("distributions", {}).items()}
    stated = {key: value for key, value in first.items() if key != "distributions"}
    if packages:
        stated["packages"] = digest_of(packages)
    proof = Proof(
        checks=tuple(check for check in checks if not check.ok),
        passed={check.name: check.detail for check in checks if check.ok},
        workers=workers,
        processes=processes,
        server_version=packages.get(_normal(expected.server.distribution)),
        identity={key: str(value) for key, value in stated.items()},
    )
    return proof, packages


def digest_of(packages: Mapping[str, str]) -> str:
    """A short name for a list of packages; another list has another one."""
    return hashlib.sha256(json.dumps(packages, sort_keys=True).encode()).hexdigest()[:DIGEST_LENGTH]


@dataclass(frozen=True)
class Answer:
    """An answer, or the reason why there was none (status 0)."""

    status: int
    headers: dict[str, str]
    document: dict[str, Any]
    said: str


def answered(send: Callable[..., httpx2.Response], path: str, **options: object) -> Answer:
    """What came back from ``send(path)``; a broken connection is status 0 with its reason."""
    try:
        response = send(path, **options)
    except httpx2.HTTPError as broken:
        return Answer(status=0, headers={}, document={}, said=f"{type(broken).__name__}: {broken}")
    headers = {key.lower(): harmless(value) for key, value in response.headers.items()}
    return Answer(
        status=response.status_code,
        headers=headers,
        document=_document(response),
        said=harmless(response.text[:200]),
    )


def _document(response: httpx2.Response) -> dict[str, Any]:
    """The JSON object in the answer; empty when there is something else."""
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _normal(distribution: str) -> str:
    """The name as the packaging specifications compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _is_ready(client: httpx2.Client, url: str) -> bool:
    return answered(client.get, f"{url}/readyz").status == 200


def _started_at(container: Container) -> float:
    text: str = container.attrs["State"]["StartedAt"]
    seconds, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")


def _server_processes(engine: Engine, expected: Expectation) -> tuple[int, ...]:
    found = engine.processes("app")
    return tuple(sorted(pid for pid, line in found.items() if re.search(expected.identity.process, line)))


def _server_checks(identities: list[Answer], expected: Expectation) -> Iterator[Check]:
    wanted = {
        "interface": expected.interface.value,
        "variant": expected.settings.target.variant,
        "cpus": expected.settings.cpus,
        "workers": expected.workers_each,
        "multithread": expected.multithread,
        "debug": False,  # unless the app is set to have it on, below
        "autoreload": False,
        "database": expected.settings.database.value.replace("postgres", "postgresql"),
        "cache": "redis" if "redis.yml" in expected.settings.files() else "database",
        "realtime": expected.settings.realtime or expected.speaks_websocket,
        **to_be_stated(expected.settings.app),
    }
    for key, value in wanted.items():
        found = {str(answer.document.get(key, answer.said)) for answer in identities}
        yield _equal(f"identity: {key}", found=", ".join(sorted(found)), wanted=str(value))
    hosts = Counter(str(answer.document.get("hostname")) for answer in identities)
    yield _equal("replicas that answered", found=len(hosts), wanted=expected.settings.replicas)
    yield _header_check(identities[0], expected)


def _websocket_check(client: httpx2.Client, expected: Expectation) -> Check:
    """A handshake without a ticket is refused by the feed where there is one, and unknown elsewhere."""
    has_feed = expected.settings.realtime or expected.speaks_websocket
    answer = answered(client.get, FEED, headers=HANDSHAKE)
    return _status("WebSocket without a ticket", answer, 403 if has_feed else 404)


def _header_check(answer: Answer, expected: Expectation) -> Check:
    pattern = (expected.edge or expected).identity.server_header
    found = answer.headers.get("server", "")
    right = bool(re.search(pattern, found)) if pattern else not found
    detail = (found or "none") if right else f"{found!r}, expected {pattern or 'none'}"
    return Check(name="Server header", ok=right, detail=detail)


def _answer_checks(client: httpx2.Client, access: str) -> Iterator[Check]:
    bearer = _bearer(access)
    profile = answered(client.get, PROFILE, headers=bearer)
    yield _equal(
        "profile of the token's user", found=profile.document.get("username", profile.said), wanted=USER
    )
    books = answered(client.get, BOOKS, headers=bearer)
    count = books.document.get("count", 0)
    enough = count >= SEEDED_BOOKS
    detail = str(count) if enough else f"{count} of {SEEDED_BOOKS}, status {books.status}"
    yield Check(name="seeded books", ok=enough, detail=detail)


def _refusal_checks(client: httpx2.Client, access: str, *, signer: Signer) -> Iterator[Check]:
    claims = claims_of(access)
    control = control_token(claims, signer)
    yield _status("control token", answered(client.get, PROFILE, headers=_bearer(control)), 200)
    yield _refused("no token", answered(client.get, PROFILE))
    for name, token in wrong_tokens(claims, signer).items():
        yield _refused(name, answered(client.get, PROFILE, headers=_bearer(token)))


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, unverified; empty when it is none."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _refused(name: str, answer: Answer) -> Check:
    asks = "www-authenticate" in answer.headers
    right = answer.status == 401 and asks
    wrong = f"status {answer.status}{'' if asks else ' without WWW-Authenticate'}, expected 401"
    return Check(name=f"refused: {name}", ok=right, detail="401" if right else wrong)


def _status(name: str, answer: Answer, wanted: int) -> Check:
    if answer.status == wanted:
        return Check(name=name, ok=True, detail=str(wanted))
    detail = f"{STATUS}{answer.status}, expected {wanted}"
    return Check(name=name, ok=False, detail=detail if answer.status else answer.said)


def _equal(name: str, *, found: object, wanted: object) -> Check:
    right = found == wanted
    return Check(name=name, ok=right, detail=str(found) if right else f"{found}, expected {wanted}")


def is_silent(proof: Proof) -> bool:
    """Whether the stack gave no answer, so that its checks failed for that alone."""
    health = [check for check in proof.checks if check.name == HEALTH]
    return any(not check.ok and not check.detail.startswith(STATUS) for check in health)


def failed_checks(proof: Proof) -> list[str]:
    """One sentence for each check that failed."""
    return [f"{check.name}: {check.detail}" for check in proof.checks if not check.ok]
