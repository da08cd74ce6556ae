"""What Django's own server shows and does when it is started as its documentation says: with DEBUG and its reloader."""

from __future__ import annotations

import json
from dataclasses import dataclass

from serverlab.attacks import inside
from serverlab.attacks.stage import LEAKS, UNSERVED, Attack, Outcome, Stage, failed, not_applicable, passed

DJANGO = "Django"
"""The distribution whose server is meant for development."""

BOTH = """
import json, os, pathlib, signal, subprocess, sys, time, urllib.error, urllib.request
begun, settings = pathlib.Path("/tmp/begun"), pathlib.Path("/tmp/as_documented.py")
def beginnings():
    return len(begun.read_text().split())
def until(holds, seconds):
    give_up = time.monotonic() + seconds
    while not (found := holds()) and time.monotonic() < give_up:
        time.sleep(0.1)
    return found
def page():
    try:
        urllib.request.urlopen("http://localhost:8001/lab/error", timeout=5)
    except urllib.error.HTTPError as refused:
        return f"{refused.code} {refused.read().decode(errors='replace')}"
    except OSError:
        return ""
def tried(debug, *options):
    begun.write_text("")
    settings.write_text(
        "import os, pathlib\\n"
        "from config.settings import *\\n"
        "with pathlib.Path('/tmp/begun').open('a') as file:\\n"
        "    print(os.getpid(), file=file)\\n"
    )
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "as_documented", "PYTHONPATH": "/tmp", "DJANGO_DEBUG": debug,
        "DJANGO_ALLOWED_HOSTS": "localhost", "LAB_FAULTS": "on",
    }
    command = [sys.executable, "manage.py", "runserver", "8001", *options]
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        shown = until(page, 20)
        before = beginnings()
        settings.write_text(settings.read_text() + "# changed\\n")
        return {"page": shown, "again": bool(until(lambda: beginnings() > before, 5))}
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
print(json.dumps([tried("on"), tried("off", "--noreload")]))
"""
"""Starts a second server in the container, asks it for a view that fails, and changes its settings' file.

Once as the documentation starts it, and once with DEBUG off and --noreload. Prints status and body of each answer, and
whether another process had read the settings within five seconds; the reloader looks every second.
"""


@dataclass(frozen=True)
class Habits:
    """What a server did that was started in one way."""

    shows: bool
    restarts: bool

    def __str__(self) -> str:
        """For people."""
        return f"{'debug page' if self.shows else 'no debug page'}, {'restarts' if self.restarts else 'no restart'}"


def as_documented(stage: Stage) -> Outcome:
    """W-10d."""
    server, target = stage.expected.server, stage.settings.target
    if server.distribution != DJANGO:
        return not_applicable("DEBUG and a reloader are not what its documentation starts it with")
    if target.edge or target.variant != server.default_variant:
        return not_applicable("another process in the container: asked on the default variant only")
    code, said = inside.run(stage, ["-c", BOTH])
    if code:
        raise OSError(f"the second server could not be tried: {said.strip().splitlines()[-1:]}")
    found = [_habits(each) for each in json.loads(said)]
    documented, tamed = found
    seen = f"as documented: {documented}; with DEBUG off and --noreload: {tamed}"
    measured = {
        "shows_inside": float(documented.shows),
        "restarts": float(documented.restarts),
        "tamed_shows_inside": float(tamed.shows),
        "tamed_restarts": float(tamed.restarts),
    }
    if any(measured.values()):
        return failed(seen, "expected neither", **measured)
    return passed(seen, **measured)


def _habits(told: dict[str, object]) -> Habits:
    """What the answer and the processes show.

    Raises:
        OSError: the server did not answer with 500, so that nothing is known of its pages.
    """
    page = str(told["page"])
    if not page.startswith("500 "):
        raise OSError(f"a view that fails was answered with {page[:40]!r}")
    return Habits(shows=any(sign in page for sign in LEAKS), restarts=bool(told["again"]))


ATTACKS = (
    Attack(
        "W-10d",
        "Django's server, started as documented",
        "no debug page, no restart by a changed file",
        as_documented,
        beside=UNSERVED,
    ),
)
