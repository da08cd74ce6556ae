"""The machine's Chromium: what a visit waits for, and what it makes of a browser that ends or hangs."""

from pathlib import Path

import pytest

from serverlab import browser
from serverlab.browser import TENTATIVE, version, visit, wait_for_addresses
from serverlab.errors import CommandFailed, EnvironmentLacks
from tests.fakes import Answer, FakeShell

LOGGED = '[1:1:1124/040000.0:INFO:CONSOLE:1] "the end", source: http://a.localhost/ (1)'


@pytest.fixture
def found(monkeypatch):
    monkeypatch.setattr(browser, "find_browser", lambda: "chromium")


@pytest.mark.usefixtures("found")
def test_a_visit_ends_when_a_page_has_logged_what_was_waited_for():
    shell = FakeShell({"chromium": Answer(stderr=f"the end of something else\n{LOGGED}\n", returncode=1)})
    visit(shell, "http://a.localhost/", until="the end", timeout_s=5)
    (called,) = shell.calls
    assert not Path(called.partition("--user-data-dir=")[2].split()[0]).exists()
    assert called.endswith(" http://a.localhost/")
    assert "--host-resolver-rules=MAP * ~NOTFOUND" in called


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize("said", ["the end\n", LOGGED.replace("the end", "another")])
def test_a_browser_that_ends_before_is_told(said):
    """Also where it says the words itself, and no page does."""
    shell = FakeShell({"chromium": Answer(stderr=said, returncode=21)})
    with pytest.raises(CommandFailed, match="exit code 21 before its page was done"):
        visit(shell, "http://a.localhost/", until="the end", timeout_s=5)


@pytest.mark.usefixtures("found")
def test_a_browser_says_which_it_is():
    shell = FakeShell({"chromium --version": Answer("Chromium 156.0.8078.79 built on Debian GNU/Linux 12\n")})
    assert version(shell) == "Chromium 156.0.8078.79"


def test_without_a_browser_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(browser, "find_browser", lambda: None)
    with pytest.raises(EnvironmentLacks, match="there is no Chromium") as lacks:
        visit(FakeShell({}), "http://a.localhost/", until="the end", timeout_s=5)
    assert "chromium" in lacks.value.hint


def test_addresses_that_are_still_looked_at_are_waited_for(tmp_path, monkeypatch):
    addresses = tmp_path / browser.ADDRESSES
    addresses.parent.mkdir(parents=True)
    addresses.write_text("fe80 02 40 20 80 eth0\n")
    assert int("80", 16) & TENTATIVE == 0
    wait_for_addresses(tmp_path)
    addresses.write_text("fe80 02 40 20 c0 eth0\n")
    monkeypatch.setattr(browser, "SETTLED_DEADLINE_S", 0.1)
    with pytest.raises(TimeoutError, match="tentative"):
        wait_for_addresses(tmp_path)


def test_a_machine_without_such_addresses_is_not_waited_for(tmp_path):
    wait_for_addresses(tmp_path)
