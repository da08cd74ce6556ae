"""A browser for the tests of pages, and stacks for them to look at."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


ADDRESSES = Path("/proc/net/if_inet6")
TENTATIVE = 0x40  # IFA_F_TENTATIVE: the kernel still looks whether somebody else has the address
SETTLED_DEADLINE_S = 10


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, for a whole module."""
    with chromium() as browser:
        yield browser


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the machine's Chromium, and end it with the block."""
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
            wait_for_addresses()
            yield probe.front_url(engine, settings)
        finally:
            engine.remove_all()


def wait_for_addresses() -> None:
    """Return when no network of the stack changes its addresses any longer: a browser aborts its requests then."""
    give_up = time.monotonic() + SETTLED_DEADLINE_S
    while any(int(flags, 16) & TENTATIVE for *_, flags, _ in _addresses()):
        assert time.monotonic() < give_up, f"{ADDRESSES} still has tentative addresses"
        time.sleep(0.05)


def _addresses() -> list[list[str]]:
    return [line.split() for line in ADDRESSES.read_text().splitlines()] if ADDRESSES.exists() else []
