"""The page at `/` as people use it, in Chromium through nginx: one WSGI target and one ASGI target."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response, expect

from serverlab import compose, host
from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.compose import Cache, Database, StackSettings
from serverlab.shell import HostShell
from tests.browser.conftest import chromium, running

CATALOG = load_catalog(CHECKOUT)
PASSWORD = "correct-horse-battery"
EDITOR = {"username": "user01", "password": "lab-password"}
ACCESS_LIFETIME_S = 4
SOON_MS = 2_500 * ACCESS_LIFETIME_S
SERIOUS = {"serious", "critical"}
NARROW = {"width": 320, "height": 640}

# The browser itself notes every refusal; the tests look at what the page makes of it.
NOTED_REFUSAL = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")

STACKS: dict[str, dict[str, Any]] = {
    "gunicorn:gthread+nginx": {"app": {"LAB_PLAIN_TOKENS": "header"}, "realtime": True},
    "daphne+nginx": {
        "app": {"LAB_PLAIN_TOKENS": "cookie", "LAB_JWT_ALGORITHM": "HS256"},
        "database": Database.POSTGRES,
        "cache": Cache.REDIS,
    },
    "uwsgi": {"app": {"LAB_IDENTITY": "off"}},
}
DRIVEN = ["gunicorn:gthread+nginx", "daphne+nginx"]
BARE = "uwsgi"

pytestmark = [pytest.mark.contract, pytest.mark.timeout(180)]


@pytest.fixture(scope="module", params=DRIVEN)
def stack(request: pytest.FixtureRequest) -> StackSettings:
    """What each of the stacks is; access tokens live for a few seconds only."""
    target = CATALOG.target(request.param)
    chosen = STACKS[request.param]
    return StackSettings(
        target=target,
        protocol=CATALOG.variant(target).protocol,
        cpus=1,
        replicas=CATALOG.replicas(target, cpus=1, wanted=None),
        split=host.assign_cores(1, host.cores_of(compose.connect(HostShell()))),
        label="browser",
        **{**chosen, "app": {**chosen["app"], "LAB_ACCESS_LIFETIME_S": str(ACCESS_LIFETIME_S)}},
    )


@pytest.fixture(scope="module")
def url(stack: StackSettings) -> Iterator[str]:
    """Where the stack answers while it runs."""
    with running(stack) as address:
        yield address


@pytest.fixture(scope="module")
def browser(url: str) -> Iterator[Browser]:
    """A browser that knows no network but the stack's: when one comes or goes, Chromium aborts what it is loading."""
    with chromium() as browser:
        yield browser


@dataclass
class Watch:
    """What a page did that nobody saw."""

    origin: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def on_request(self, request: Request) -> None:
        path = request.url.removeprefix(self.origin)
        self.requests.append(path)
        if not path.startswith("/"):
            self.complaints.append(f"another origin: {request.url}")

    def on_response(self, response: Response) -> None:
        if response.status >= 500:
            self.complaints.append(f"{response.status}: {response.url}")

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not NOTED_REFUSAL.match(message.text):
            self.complaints.append(f"{message.type}: {message.text}")

    def count(self, path: str) -> int:
        return self.requests.count(path)


@pytest.fixture
def watch(page: Page, url: str) -> Iterator[Watch]:
    """Everything that went wrong without a word on the page, which must be nothing."""
    watch = Watch(url)
    page.add_init_script(
        "addEventListener('securitypolicyviolation',"
        " (event) => console.error(`${event.violatedDirective} forbids ${event.blockedURI}`))"
    )
    page.on("request", watch.on_request)
    page.on("response", watch.on_response)
    page.on("console", watch.on_console)
    page.on("pageerror", lambda error: watch.complaints.append(f"thrown: {error}"))
    yield watch
    assert watch.complaints == []


@pytest.fixture
def site(page: Page, url: str, watch: Watch) -> Page:
    """The page, loaded."""
    policy = page.goto(url).headers["content-security-policy"]
    assert "unsafe" not in policy
    expect(page.locator("#server dd").first).not_to_be_empty()
    return page


@pytest.fixture
def newcomer() -> str:
    """A name that nobody has yet."""
    return f"newcomer-{secrets.token_hex(6)}"


def choice(site: Page, way: str) -> Locator:
    return site.get_by_role("radio", name=re.compile(f"^{way}:"))


def try_password(site: Page, way: str, password: str) -> None:
    choice(site, way).check()
    site.get_by_label("Username").fill(EDITOR["username"])
    site.get_by_label("Password").fill(password)
    site.get_by_role("button", name="Sign in").click()


def sign_in(site: Page, way: str) -> None:
    try_password(site, way, EDITOR["password"])
    expect(who(site)).to_have_text(f"You are user01, editor, signed in by {way}.")


def sign_up(site: Page, way: str, username: str) -> None:
    choice(site, way).check()
    site.get_by_label("Username").fill(username)
    site.get_by_label("Password").fill(PASSWORD)
    site.get_by_label("E-mail").fill(f"{username}@example.org")
    site.get_by_role("button", name="Sign up").click()
    expect(who(site)).to_have_text(f"You are {username}, reader, signed in by {way}.")


def who(site: Page) -> Locator:
    return site.locator("#who")


def send(site: Page, route: str, answer: str) -> None:
    """Send one of the offered requests and expect this status."""
    site.get_by_label("Request").select_option(route)
    site.get_by_role("button", name="Send").click()
    expect(site.locator("#answer-status")).to_have_text(answer)


OK = "200 OK"
NO_CREDENTIAL = "401 refused: no valid credential"
WRONG_ROLE = "403 refused: not allowed for your role"
CREATE = "POST a new book (editors and admins)"


def test_a_session_from_sign_up_to_log_out(site: Page, newcomer: str) -> None:
    sign_up(site, "session", newcomer)
    expect(site.get_by_text("A session has no token")).to_be_visible()
    expect(site.locator("#token")).to_be_hidden()
    send(site, "GET who I am", OK)
    expect(site.locator("#answer-body")).to_contain_text(newcomer)
    site.reload()
    expect(who(site)).to_have_text("You are not signed in.")  # the page forgot; the cookie is still there
    site.get_by_role("button", name="Who am I?").click()
    expect(who(site)).to_have_text(f"You are {newcomer}, reader, signed in by session.")
    site.get_by_role("button", name="Log out", exact=True).click()
    expect(who(site)).to_have_text("You are not signed in.")
    send(site, "GET who I am", NO_CREDENTIAL)


@pytest.mark.parametrize("way", ["jwt", "plain"])
def test_tokens_from_sign_up_over_a_refresh_to_log_out(
    site: Page, watch: Watch, stack: StackSettings, newcomer: str, way: str
) -> None:
    shown = way == "jwt" or stack.app["LAB_PLAIN_TOKENS"] == "header"
    sign_up(site, way, newcomer)
    first = site.locator("#encoded-payload").text_content()
    expect(site.locator("#token")).to_be_visible(visible=shown)
    expect(site.locator("#countdown")).to_have_text(re.compile(rf"[1-{ACCESS_LIFETIME_S}] s"))
    expect(site.locator("#renewals")).to_have_text("Refreshed 1 time.", timeout=SOON_MS)
    assert watch.count(f"/api/auth/{way}/refresh/") == 1
    assert (site.locator("#encoded-payload").text_content() != first) is shown
    send(site, "GET who I am", OK)
    site.get_by_role("button", name="Log out", exact=True).click()
    expect(who(site)).to_have_text("You are not signed in.")
    expect(site.locator("#life")).to_be_hidden()
    expect(site.locator("#token")).to_be_hidden()
    send(site, "GET who I am", NO_CREDENTIAL)


def test_a_token_is_taken_apart_and_explained(site: Page) -> None:
    sign_in(site, "jwt")
    expect(site.locator("#header-claims")).to_contain_text('alg "HS256"')
    expect(site.locator("#payload-claims")).to_contain_text('name "user01"')
    expect(site.locator("#payload-claims")).to_contain_text(
        re.compile(rf"expires at .* \(in [1-{ACCESS_LIFETIME_S}] seconds?\)")
    )
    expect(site.locator("#signature-words")).to_contain_text("32 bytes, made with HS256")


def test_a_token_that_may_not_refresh_expires_and_is_refused_until_it_is_refreshed_by_hand(
    site: Page,
) -> None:
    sign_in(site, "jwt")
    site.get_by_label("Refresh it by itself").uncheck()
    expect(site.locator("#countdown")).to_have_text("0 s: it has expired", timeout=SOON_MS)
    send(site, "GET who I am", NO_CREDENTIAL)
    site.get_by_role("button", name="Refresh now").click()
    expect(site.locator("#renewals")).to_have_text("Refreshed 1 time.")
    send(site, "GET who I am", OK)


RENEW_AT_ONCE = """async (credentials) => {
  const { Account } = await import("/site/account.js");
  const account = new Account();
  await account.signIn("jwt", credentials);
  await Promise.all([account.renew(), account.renew(), account.renew()]);
  const answer = await account.call("/api/auth/jwt/me/");
  return [account.renewals, answer.status];
}"""


def test_refreshes_at_the_same_moment_are_one_request(site: Page, watch: Watch) -> None:
    """Two requests with one token would look like theft, and end the family."""
    assert site.evaluate(RENEW_AT_ONCE, EDITOR) == [1, 200]
    assert watch.count("/api/auth/jwt/refresh/") == 1


@pytest.mark.parametrize("way", ["session", "jwt", "plain"])
def test_logging_out_everywhere_ends_a_sign_in_on_another_page(
    site: Page, url: str, newcomer: str, way: str
) -> None:
    sign_up(site, way, newcomer)
    credentials = {"username": newcomer, "password": PASSWORD}
    other = httpx2.post(f"{url}/api/auth/jwt/login/", json=credentials).json()
    site.get_by_role("button", name="Log out everywhere").click()
    expect(who(site)).to_have_text("You are not signed in.")
    refreshed = httpx2.post(f"{url}/api/auth/jwt/refresh/", json={"refresh": other["refresh"]})
    assert refreshed.status_code == 401


@pytest.mark.parametrize("way", ["session", "jwt", "plain"])
def test_a_wrong_password_is_refused_in_words(site: Page, way: str) -> None:
    try_password(site, way, "wrong")
    expect(site.get_by_role("alert")).to_have_text("No active account has these credentials.")
    expect(who(site)).to_have_text("You are not signed in.")


@pytest.mark.parametrize("way", ["session", "jwt", "plain"])
def test_a_sign_up_that_is_refused_says_why_and_goes_to_the_field(site: Page, way: str) -> None:
    choice(site, way).check()
    site.get_by_label("Username").fill(EDITOR["username"])
    site.get_by_label("Password").fill(PASSWORD)
    site.get_by_label("E-mail").fill("somebody@example.org")
    site.get_by_role("button", name="Sign up").click()
    expect(site.get_by_role("alert")).to_have_text(re.compile(r"^username: \w.*"))
    expect(site.get_by_label("Username")).to_have_attribute("aria-invalid", "true")
    expect(site.get_by_label("Username")).to_be_focused()


def test_protected_routes_refuse_who_has_no_credential_or_not_the_role(site: Page, newcomer: str) -> None:
    send(site, "GET three books", NO_CREDENTIAL)
    sign_up(site, "jwt", newcomer)
    send(site, "GET three books", OK)
    send(site, CREATE, WRONG_ROLE)
    site.get_by_label("Without my credential").check()
    send(site, "GET three books", NO_CREDENTIAL)


@pytest.mark.parametrize("way", ["session", "jwt", "plain"])
def test_an_editor_creates_a_book(site: Page, way: str) -> None:
    sign_in(site, way)
    send(site, CREATE, "201 created")


def test_the_strategies_are_compared(site: Page) -> None:
    sign_in(site, "session")
    site.get_by_role("button", name="Compare").click()
    expect(site.locator("#queries tbody tr")).to_have_count(12, timeout=60_000)
    cells = [row.split("\t") for row in site.locator("#queries tbody").inner_text().splitlines()]
    queries = {(strategy, int(rows)): int(count) for strategy, rows, count, *_ in cells}
    for rows in (10, 100, 500):
        assert queries["naive", rows] > queries["select_related", rows] > queries["prefetch_related", rows]
        assert queries["naive", rows] > 2 * rows
        assert (
            queries["default", rows] <= queries["prefetch_related", rows] == queries["prefetch_related", 10]
        )
    for *_, database_ms, total_ms in cells:
        assert 0 < float(database_ms) < float(total_ms)


def test_the_feed_shows_a_change_that_was_made_over_http(site: Page, url: str) -> None:
    sign_in(site, "session")
    site.get_by_role("button", name="Follow").click()
    expect(site.locator("#feed-state")).to_contain_text("Connected as user01")
    access = httpx2.post(f"{url}/api/auth/jwt/login/", json=EDITOR).json()["access"]
    author = {"name": "Seen At Once", "born": 1990}
    made = httpx2.post(f"{url}/api/authors/", json=author, headers={"Authorization": f"Bearer {access}"})
    change = site.get_by_role("log").get_by_role("listitem")
    expect(change).to_have_text(re.compile(rf"author {made.json()['id']} created$"))
    assert violations(site) == []
    site.get_by_role("button", name="Ping").click()
    expect(site.locator("#status")).to_have_text(re.compile(r"answered the ping after [\d.]+ ms"))
    site.get_by_role("button", name="Stop").click()
    expect(site.locator("#feed-state")).to_have_text("Stopped.")


def test_the_feed_ends_with_its_credential_and_follows_on_with_the_next(site: Page, watch: Watch) -> None:
    sign_in(site, "jwt")
    site.get_by_role("button", name="Follow").click()
    expect(site.locator("#feed-state")).to_contain_text("Connected as user01")
    with site.expect_websocket(timeout=SOON_MS):
        pass
    expect(site.locator("#feed-state")).to_contain_text("Connected as user01")
    assert watch.count("/api/realtime/ticket/") == 2


@pytest.mark.parametrize("stack", [BARE], indirect=True)
def test_without_an_edge_the_page_works_and_says_what_a_bare_server_does_not_have(
    page: Page, url: str, watch: Watch, newcomer: str
) -> None:
    page.goto(url)
    expect(page.get_by_text("This server does not say what it is")).to_be_visible()
    expect(page.get_by_text("lab-password")).to_be_hidden()
    sign_up(page, "jwt", newcomer)
    page.get_by_role("button", name="Follow").click()
    expect(page.locator("#feed-state")).to_have_text("This server has no WebSockets: there is no feed here.")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("alert")).to_contain_text("This server does not count its queries")
    assert "/ws/feed/" not in watch.requests


def test_signing_in_with_the_keyboard_alone(site: Page) -> None:
    keyboard = site.keyboard
    keyboard.press("Tab")
    expect(site.get_by_text("Skip to the content")).to_be_focused()
    keyboard.press("Enter")
    keyboard.press("Tab")
    expect(choice(site, "session")).to_be_focused()
    keyboard.press("ArrowDown")
    expect(choice(site, "jwt")).to_be_checked()
    keyboard.press("Tab")
    keyboard.type(EDITOR["username"])
    keyboard.press("Tab")
    keyboard.type(EDITOR["password"])
    keyboard.press("Enter")
    expect(who(site)).to_have_text("You are user01, editor, signed in by jwt.")
    expect(who(site)).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("Tab")
    expect(site.get_by_role("button", name="Log out", exact=True)).to_be_focused()
    keyboard.press("Enter")
    expect(who(site)).to_have_text("You are not signed in.")


def filled(site: Page) -> None:
    """Have every section show what it can."""
    sign_in(site, "jwt")
    send(site, "GET three books", OK)
    site.get_by_role("button", name="Compare").click()
    expect(site.locator("#queries")).to_be_visible(timeout=60_000)
    expect(site.locator("#queries tbody tr")).to_have_count(12)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(site: Page, scheme: str) -> None:
    site.emulate_media(color_scheme=scheme)
    found = violations(site)
    try_password(site, "jwt", "wrong")
    expect(site.get_by_role("alert")).not_to_be_empty()
    found += violations(site)
    filled(site)
    assert found + violations(site) == []


def violations(site: Page) -> list[str]:
    answer = Axe().run(site).response
    assert answer["passes"], "axe looked at nothing"
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in answer["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


def test_axe_would_find_a_label_that_is_missing(site: Page) -> None:
    site.evaluate("document.querySelector('label[for=username]').remove()")
    assert any(each.startswith("label: ['#username']") for each in violations(site))


def test_a_narrow_page_never_scrolls_sideways(site: Page) -> None:
    site.set_viewport_size(NARROW)
    filled(site)
    assert site.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_the_page_tells_which_server_answered(site: Page, stack: StackSettings) -> None:
    told = site.locator("#server")
    interface = CATALOG.servers[stack.target.server].interface_of(CATALOG.variant(stack.target))
    expect(told).to_contain_text(re.compile(rf"Server\s*{stack.target.server} \d"))
    expect(told).to_contain_text(re.compile(rf"Interface\s*{interface.value}"))
    expect(told).to_contain_text(
        re.compile(rf"Database\s*{'postgresql' if stack.database is Database.POSTGRES else 'sqlite'}")
    )
