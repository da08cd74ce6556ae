"""The browser that the browser tests drive: the machine's Chromium, installed on Debian where it is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from serverlab import debian
from serverlab.engine import Machine, apt
from serverlab.errors import EnvironmentLacks
from serverlab.progress import Say
from serverlab.shell import Shell

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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
