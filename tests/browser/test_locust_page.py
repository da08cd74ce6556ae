"""`serverlab locust` as a person uses it: the page in a real browser, a workload chosen, a load run to its end."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from serverlab import compose
from serverlab.cli.context import CHECKOUT
from serverlab.shell import HostShell

STOP_DEADLINE_S = 60

pytestmark = [pytest.mark.contract, pytest.mark.timeout(180)]


@pytest.fixture
def locust() -> Iterator[subprocess.Popen[str]]:
    """`serverlab locust`, running; its first line of output is there when it is ready."""
    command = [
        sys.executable,
        "-m",
        "serverlab.cli",
        "locust",
        "daphne+nginx",
        "--workload",
        "ping",
        "--port",
        "0",
    ]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(STOP_DEADLINE_S)


def test_a_load_run_is_started_watched_and_stopped_in_the_browser(
    locust: subprocess.Popen[str], page: Page
) -> None:
    assert locust.stdout is not None
    line = locust.stdout.readline()
    url = line.strip().removeprefix("locust: ")
    assert url == "http://127.0.0.1:8089", line

    page.goto(url)
    expect(page.get_by_text("Ping", exact=True).first).to_be_visible()
    page.get_by_label("Number of users").fill("4")
    page.get_by_label("Ramp up").fill("4")
    page.get_by_role("button", name=re.compile("start", re.IGNORECASE)).click()
    row = page.get_by_role("row").filter(has_text="/api/ping/").first
    expect(row).to_be_visible(timeout=20_000)
    requests = row.get_by_role("cell").nth(2)
    expect(requests).to_have_text(re.compile(r"^[1-9]\d+$"), timeout=20_000)
    page.get_by_role("button", name=re.compile("^stop$", re.IGNORECASE)).click()
    expect(page.get_by_text(re.compile("^stopped$", re.IGNORECASE)).first).to_be_visible(timeout=20_000)

    locust.send_signal(signal.SIGINT)
    assert locust.wait(STOP_DEADLINE_S) == 0
    assert compose.connect(HostShell()).containers() == []
