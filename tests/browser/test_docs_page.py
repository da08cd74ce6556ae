"""The API's page (Swagger UI) in Chromium: it shows every route, and nothing on it breaks the content policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from serverlab import compose, host
from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.compose import StackSettings
from serverlab.shell import HostShell
from tests.browser.conftest import running

TARGET = "gunicorn:gthread+nginx"

pytestmark = [pytest.mark.contract, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where the app answers behind nginx."""
    catalog = load_catalog(CHECKOUT)
    target = catalog.target(TARGET)
    settings = StackSettings(
        target=target,
        protocol=catalog.variant(target).protocol,
        cpus=1,
        replicas=1,
        split=host.assign_cores(1, host.cores_of(compose.connect(HostShell()))),
        label="browser",
    )
    with running(settings) as address:
        yield address


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser says while the test runs: errors and warnings on its console, and uncaught exceptions."""
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def test_the_page_shows_the_routes_and_the_browser_has_nothing_to_complain_about(
    page: Page, url: str, complaints: list[str]
) -> None:
    page.goto(f"{url}/api/docs/")
    route = page.locator("#operations-auth-auth_session_login_create")
    route.locator(".opblock-summary-control").click()
    expect(route.get_by_text("X-CSRFToken")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).margin") == "0px"
    assert complaints == []


def test_a_style_within_the_page_would_be_complained_about(
    page: Page, url: str, complaints: list[str]
) -> None:
    page.goto(f"{url}/api/docs/")
    with page.expect_console_message():
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<style>p { margin: 0 }</style>')")
    assert {"Content Security Policy" in each for each in complaints} == {True}
