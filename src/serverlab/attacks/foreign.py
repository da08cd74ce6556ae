"""What pages of other hosts make a real browser write where no CSRF check is in the way (row A4-16).

All hosts are names below localhost, which browsers take for this machine: cookies that are Secure travel there without
TLS, and each name directly below it is a site of its own, as those below .com are. Ports make no other site.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

from serverlab.attacks.stage import ACCESS_COOKIE, Attack, Outcome, Stage, failed, passed
from serverlab.attacks.visitor import Visitor, newcomer
from serverlab.browser import find_browser, version, visit, wait_for_addresses
from serverlab.model.security import Verdict

SAME_SITE = {
    "none": "; SameSite=None; Secure",
    "unsaid": "",
    "lax": "; SameSite=Lax",
    "strict": "; SameSite=Strict",
}
"""What a cookie says of itself; a browser believes None only of those that are Secure."""

WAYS = ("script", "form", "sister")
"""Who asks: a script of a foreign page, its form as a visit, and a script of a page of the same site."""

WRITE = "/api/auth/{way}/logout-everywhere/"
"""Takes no body, so that it can be asked by a form; afterwards the token is no longer good."""

LOGGED = re.compile(r'"POST /api/auth/(plain|jwt)/logout-everywhere/ [^"]*" (204|401) ')
"""A write in the edge's access log that was answered, and not given up."""

FOREIGN = "foreign.localhost"
DONE = "every page was visited"
VISITS_S = 60.0
PATIENCE_S = 5.0
POLL_S = 0.05

NEXT = "NEXT"
ASK = """<script>
(async () => {
  for (const url of %s)
    await fetch(url, {method: "POST", mode: "no-cors", credentials: "include"}).catch(() => null);
  location.replace("NEXT");
})();
</script>"""
"""A response that is hidden from the page is an error to it; the request was sent all the same."""

SUBMIT = """<form method="post" action="%s" target="%s"></form>
<script>
const visit = open("about:blank", document.forms[0].target), late = Date.now() + 1000;
document.forms[0].submit();
const answered = () => { try { return visit.location.href !== "about:blank"; } catch { return true; } };
const wait = () => answered() || Date.now() > late ? location.replace("NEXT") : setTimeout(wait, 20);
wait();
</script>"""
"""The visit is at another host once it was answered, and the page may not see where; an answer of 204 leads nowhere."""


@dataclass(frozen=True)
class Victim:
    """Somebody who is signed in at a host that nobody else uses, and who is to write for ``way``."""

    same_site: str
    way: str
    visitor: Visitor

    @property
    def name(self) -> str:
        """What it is called in the numbers."""
        return f"{self.same_site}_{self.way}"

    @property
    def host(self) -> str:
        """Where the cookie is."""
        return f"{self.same_site}-{self.way}.localhost"

    @property
    def wrote(self) -> bool:
        """Whether everything of this user was ended."""
        return self.visitor.me().status_code == 401


@dataclass(frozen=True)
class Page:
    """What the lab serves on a host; NEXT in its text is where the page after it is."""

    host: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


def foreign_pages(stage: Stage) -> Outcome:
    """A browser that has tokens in cookies of every SameSite is led to pages that ask for a write."""
    if find_browser() is None:
        return Outcome(
            Verdict.UNKNOWN, "not asked", "there is no Chromium: `make browser` installs one on Debian"
        )
    alone = newcomer(stage, "plain")
    free = alone.send("POST", WRITE.format(way="plain"), headers={"X-CSRFToken": None, "Referer": None})
    if free.status_code != 204:
        return Outcome(Verdict.UNKNOWN, f"{free.status_code}", "a write without a CSRF token is not free")
    holder = newcomer(stage, "jwt")
    victims = [Victim(kind, way, newcomer(stage, "plain")) for kind in SAME_SITE for way in WAYS]
    wait_for_addresses()
    began = time.time()
    with served(pages_for(victims, port=urlsplit(stage.url).port or 80)) as first:
        visit(stage.shell, first, until=DONE, timeout_s=VISITS_S)
        arrived = _arrived(stage, since=began, wanted=len(victims) + 1)
    if arrived != len(victims) + 1:
        reason = f"{arrived} writes were answered, and {len(victims) + 1} asked for"
        return Outcome(Verdict.UNKNOWN, "not all asked", reason)
    found = outcome_of({each.name: each.wrote for each in victims}, header=holder.me().status_code == 401)
    return replace(found, seen=f"{version(stage.shell)}: {found.seen}")


def _arrived(stage: Stage, *, since: float, wanted: int) -> int:
    """How many writes the edge has answered since then (seconds of `time.time`), by its log, soon enough."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        log = stage.engine.service("edge").logs(since=since).decode(errors="replace")
        found = sum(bool(LOGGED.search(line)) for line in log.splitlines())
        if found >= wanted or time.monotonic() > give_up:
            return found
        time.sleep(POLL_S)


def outcome_of(wrote: Mapping[str, bool], *, header: bool) -> Outcome:
    """The verdict on who wrote, by names of victims; ``header`` is whoever has a token in a header."""
    measured = {**{name: float(each) for name, each in wrote.items()}, "header_script": float(header)}
    names = [name.replace("_", " ") for name, each in measured.items() if each]
    seen = f"wrote: {', '.join(names) or 'nobody'}"
    if mute := [name for name, each in wrote.items() if name.endswith("_sister") and not each]:
        reason = f"a page of the same site wrote nothing ({', '.join(mute)}), so that nothing is shown"
        return Outcome(Verdict.UNKNOWN, seen, reason, measured)
    if beyond := [name for name in ("header_script", "strict_script", "strict_form") if measured[name]]:
        return failed(seen, f"a foreign page wrote: {', '.join(beyond)}", **measured)
    return passed(seen, **measured)


def pages_for(victims: Sequence[Victim], *, port: int) -> list[Page]:
    """The pages in the order of the visit, for a stack at that port: cookies first, then who asks for a write."""

    def write(host: str, way: str = "plain") -> str:
        return f"http://{host}:{port}{WRITE.format(way=way)}"

    def asking(host: str, urls: Sequence[str]) -> Page:
        return Page(host, ASK % json.dumps(urls))

    planted = [Page(each.host, ASK % "[]", {"Set-Cookie": _cookie(each)}) for each in victims]
    sisters = [asking(f"page.{each.host}", [write(each.host)]) for each in victims if each.way == "sister"]
    scripts = [write(each.host) for each in victims if each.way == "script"]
    forms = [Page(FOREIGN, SUBMIT % (write(each.host), each.name)) for each in victims if each.way == "form"]
    return [*planted, *sisters, asking(FOREIGN, [*scripts, write("header.localhost", "jwt")]), *forms]


def _cookie(victim: Victim) -> str:
    """The cookie as the app sets it, but for its SameSite."""
    token = victim.visitor.cookies[ACCESS_COOKIE]
    return f"{ACCESS_COOKIE}={token}; Path=/api/; Max-Age=600; HttpOnly{SAME_SITE[victim.same_site]}"


@contextmanager
def served(pages: Sequence[Page]) -> Iterator[str]:
    """Serve the pages on 127.0.0.1, the last of which logs DONE, and give the address of the first."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = way.get(self.path)
            if page is None:  # an icon, for example
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(page.text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    visited = [*pages, Page(FOREIGN, f"<script>console.log({json.dumps(DONE)})</script>")]
    addresses = [f"http://{each.host}:{server.server_port}/{step}" for step, each in enumerate(visited)]
    way = {
        f"/{step}": replace(page, text=page.text.replace(NEXT, after))
        for step, (page, after) in enumerate(zip(visited, [*addresses[1:], ""], strict=True))
    }
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield addresses[0]
    finally:
        server.shutdown()
        server.server_close()


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "A4-16",
        "A browser on foreign pages, without a CSRF check",
        "nothing is written with SameSite=Strict, nor for a token in a header",
        foreign_pages,
        profile="unchecked",
    ),
)
