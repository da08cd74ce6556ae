"""A browser for the tests of pages, and stacks for them to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from serverlab import compose, probe
from serverlab.browser import OPTIONS, find_browser, wait_for_addresses
from serverlab.cli.context import CHECKOUT
from serverlab.compose import StackSettings
from serverlab.lock import only_lab
from serverlab.shell import HostShell


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, for a whole module."""
    with chromium() as browser:
        yield browser


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the machine's Chromium, and end it with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=OPTIONS)
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
            wait_for_addresses()
            yield probe.front_url(engine, settings)
        finally:
            engine.remove_all()
