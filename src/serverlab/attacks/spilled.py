"""Whether what somebody puts into an address gets into a log (rows A4-26 and A4-26s)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from serverlab.attacks.frames import FEED, PATIENCE_S
from serverlab.attacks.sockets import handshake, served, ticket_of
from serverlab.attacks.stage import Attack, Outcome, Stage, failed, not_applicable
from serverlab.attacks.visitor import judged, newcomer
from serverlab.compose import SERVICE_LABEL
from serverlab.model.records import Check
from serverlab.model.security import Verdict

SILENT = "daphne"
"""The server that writes no access log as the lab sets it."""

POLL_S = 0.05


@dataclass(frozen=True)
class Trace:
    """What a log has to hold of this attack: so many lines with a path and a status."""

    path: str
    status: int
    lines: int

    def is_in(self, log: str) -> bool:
        """Whether the log holds as many, or more."""
        found = sum(self.path in line and f" {self.status} " in line for line in log.splitlines())
        return found >= self.lines


def in_addresses(stage: Stage, *, patience_s: float = PATIENCE_S) -> Outcome:
    """Handshakes with tokens and a ticket in the address, and what all containers of the stack have logged afterwards.

    UNKNOWN if a log that is written does not hold these requests: it would show nothing.
    """
    began = time.time()
    visitor = newcomer(stage, "jwt")
    ticket, access = ticket_of(visitor), str(visitor.tokens["access"])
    sent = {"token": access, "access_token": access, "ticket": ticket}
    wanted = _traces(stage, handshakes=len(sent))
    statuses = {name: handshake(stage, query=f"?{name}={value}") for name, value in sent.items()}
    logs = _logs(stage, wanted, since=began, patience_s=patience_s)
    for name, secret in {"the access token": access.rpartition(".")[2], "the ticket": ticket}.items():
        if shown := [service for service, text in logs.items() if secret in text]:
            return failed(f"{name} in the log of {', '.join(shown)}", "expected the address without it")
    if missing := [service for service, trace in wanted.items() if not trace.is_in(logs.get(service, ""))]:
        return Outcome(Verdict.UNKNOWN, "not logged", f"the log of {', '.join(missing)} lacks the requests")
    if not any(FEED in text for text in logs.values()):
        return not_applicable("its server logs no handshakes, and no edge is in front of it")
    checks = [Check(name=name, ok=found == 403, detail=str(found)) for name, found in statuses.items()]
    return judged(checks, seen=f"403; logged by {', '.join(wanted)} without token and ticket")


def _traces(stage: Stage, *, handshakes: int) -> dict[str, Trace]:
    """What each service that writes an access log has to log: the edge handshakes, a server what gave the ticket."""
    edge = {"edge": Trace(FEED, 403, handshakes)} if stage.settings.target.edge else {}
    app = {} if stage.settings.target.server == SILENT else {"app": Trace("/api/realtime/ticket/", 201, 1)}
    return {**edge, **app}


def _logs(stage: Stage, wanted: Mapping[str, Trace], *, since: float, patience_s: float) -> dict[str, str]:
    """What each service has logged since then, once all that is wanted is there, or after ``patience_s``."""
    give_up = time.monotonic() + patience_s
    while True:
        logs: dict[str, str] = {}
        for container in stage.engine.containers():
            service = str(container.labels.get(SERVICE_LABEL, container.name))
            logs[service] = logs.get(service, "") + container.logs(since=since).decode(errors="replace")
        complete = all(trace.is_in(logs.get(service, "")) for service, trace in wanted.items())
        if complete or time.monotonic() > give_up:
            return logs
        time.sleep(POLL_S)


def _row(name: str, profile: str, title: str) -> Attack:
    return Attack(name, title, "403; logged, but without it", served(in_addresses), profile=profile)


TITLE = "WebSocket with a token or a ticket in the address, access logs"
ATTACKS: tuple[Attack, ...] = (
    _row("A4-26", "guarded", TITLE),
    _row("A4-26s", "split", f"{TITLE}; Daphne beside the server"),
)
