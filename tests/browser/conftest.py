"""A browser for the tests of pages, and stacks for them to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from serverlab import compose, probe
from serverlab.browser import find_browser
from serverlab.cli.context import CHECKOUT
from serverlab.compose import StackSettings
from serverlab.lock import only_lab
from serverlab.shell import HostShell

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=CHROMIUM_OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new page, which shares no cookie with those before."""
    context = browser.new_context()
    try:
        yield context.new_page()
    finally:
        context.close()


@contextmanager
def running(settings: StackSettings) -> Iterator[str]:
    """Start the stack, give its address when it is ready, and remove it when the block ends."""
    engine = compose.connect(HostShell())
    with only_lab():
        try:
            compose.up(HostShell(), engine, CHECKOUT, settings)
            probe.wait_ready(engine, settings)
            yield probe.front_url(engine, settings)
        finally:
            engine.remove_all()
