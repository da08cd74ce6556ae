"""The machine's Chromium: found, installed on Debian where it is missing, and sent to pages."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from serverlab import debian
from serverlab.engine import Machine, apt
from serverlab.errors import CommandFailed, EnvironmentLacks
from serverlab.progress import Say
from serverlab.shell import Shell

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""It is for pages of this machine alone, and asks nobody else."""

ONLY_HERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost"

EVERY_COOKIE = {"profile": {"block_third_party_cookies": False, "cookie_controls_mode": 0}}
"""Preferences of somebody whose browser sends cookies for requests of other sites' pages, as not all do any more."""

ADDRESSES = "proc/net/if_inet6"
TENTATIVE = 0x40
"""IFA_F_TENTATIVE: the kernel still looks whether somebody else has the address."""

SETTLED_DEADLINE_S = 10.0
HINT = "Install Chromium or Chrome so that one of these commands is found: " + ", ".join(NAMES)

Which = Callable[[str], str | None]


def find_browser(which: Which = shutil.which) -> str | None:
    """The path of the first Chromium that is found, or None."""
    return next((path for name in NAMES if (path := which(name))), None)


def ensure_browser(
    shell: Shell, say: Say, *, machine: Machine | None = None, which: Which = shutil.which
) -> str:
    """Return the path of a Chromium, after installing Debian's where there is none and that is possible.

    Raises:
        EnvironmentLacks: there is none, and this is not Debian or the user is not root.
    """
    machine = machine or Machine()
    if found := find_browser(which):
        return found
    if debian.read_release(machine.root).distribution != "debian" or not machine.is_superuser:
        raise EnvironmentLacks("there is no Chromium for the browser tests", HINT)
    apt(shell, say, ["update"], "browser: reading the package lists")
    apt(
        shell,
        say,
        ["install", "--yes", "--no-install-recommends", "chromium"],
        "browser: installing chromium",
    )
    installed = find_browser(which)
    if installed is None:
        raise EnvironmentLacks("chromium was installed, but its command is not found", HINT)
    return installed


def version(shell: Shell) -> str:
    """What the browser says that it is: its name and version.

    Raises:
        EnvironmentLacks: there is none.
    """
    said = shell.run([_command(), "--version"]).stdout.split()
    return " ".join(said[:2])


def visit(shell: Shell, url: str, *, until: str, timeout_s: float) -> None:
    """Let a browser without a past open the page and go where scripts lead it, until one logs ``until`` (console.log).

    It blocks no third-party cookies.

    Raises:
        EnvironmentLacks: there is no Chromium.
        CommandFailed: it ended before, or not within ``timeout_s``.
    """
    with TemporaryDirectory(prefix="serverlab-", ignore_cleanup_errors=True) as past:
        preferences = Path(past) / "Default" / "Preferences"
        preferences.parent.mkdir()
        preferences.write_text(json.dumps(EVERY_COOKIE))
        options = (
            *OPTIONS,
            ONLY_HERE,
            "--headless=new",
            "--disable-popup-blocking",
            "--enable-logging=stderr",
            f"--user-data-dir={past}",
        )
        try:
            ended = shell.run(
                [_command(), *options, url],
                timeout_s=timeout_s,
                on_error_line=lambda line: _look(line, until),
            )
        except _LoggedError:
            return
    raise CommandFailed(f"Chromium ended with exit code {ended.returncode} before its page was done")


def _command() -> str:
    command = find_browser()
    if command is None:
        raise EnvironmentLacks("there is no Chromium", HINT)
    return command


class _LoggedError(Exception):
    """The page has logged what was waited for."""


def _look(line: str, text: str) -> None:
    if ":CONSOLE" in line and text in line:
        raise _LoggedError


def wait_for_addresses(root: Path = Path("/")) -> None:
    """Return when no network of a stack changes its addresses any longer: a browser aborts its requests then.

    Raises:
        TimeoutError: they still change after ten seconds.
    """
    give_up = time.monotonic() + SETTLED_DEADLINE_S
    while any(int(flags, 16) & TENTATIVE for *_, flags, _ in _addresses(root)):
        if time.monotonic() > give_up:
            raise TimeoutError(f"{root / ADDRESSES} still has tentative addresses")
        time.sleep(0.05)


def _addresses(root: Path) -> list[list[str]]:
    path = root / ADDRESSES
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []
