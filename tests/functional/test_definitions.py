"""Verbs that only read files: list and check."""

import json

import pytest

from serverlab.faults import FAULTS
from tests.checkout import GUNICORN, PROFILE, QUICK, write

TARGETS = """\
targets:
  daphne:production         Daphne, one process (production track)
  gunicorn:sync             Gunicorn, sync workers (production track)
  gunicorn:gthread          Gunicorn, threaded workers (production track)
  runserver:threaded        runserver, as installed (default track)
  uwsgi:http                uWSGI, workers speak HTTP (production track)
  daphne:production+nginx   Daphne, one process, behind nginx (production track)
  daphne:replicated+nginx   Daphne, one process per core, behind nginx (production track)
  gunicorn:sync+nginx       Gunicorn, sync workers, behind nginx (production track)
  gunicorn:gthread+nginx    Gunicorn, threaded workers, behind nginx (production track)
  runserver:threaded+nginx  runserver, as installed, behind nginx (default track)
  uwsgi:http+nginx          uWSGI, workers speak HTTP, behind nginx (production track)
  uwsgi:uwsgi+nginx         uWSGI, workers speak the uwsgi protocol, behind nginx (production track)
"""

THE_REST = """\

workloads:
  profile  Profile
  static   Static file

experiments:
  quick  How do they compare?

capabilities:
  workers         several processes: gunicorn, uwsgi
  threads         several threads in a process: daphne, gunicorn, runserver
  reload          new code without dropping requests: none
  graceful_stop   ends requests in flight when it is told to stop: none
  worker_timeout  ends a worker that hangs: none
  idle_timeout    ends idle kept connections after the time that it is told (LAB_KEEPALIVE): none
  static          serves static files itself: nginx
  websocket       speaks WebSocket: daphne
  tls             ends TLS: nginx
  http2           speaks HTTP/2: none
"""


def test_everything_that_can_be_named_is_listed(cli):
    listed = cli("list")
    named, faults = listed.out.split("\n\nfaults:\n")
    assert f"{named}\n" == TARGETS + THE_REST
    assert [line.split()[0] for line in faults.splitlines()] == list(FAULTS)
    assert (listed.code, listed.err) == (0, "")


def test_one_kind_can_be_listed_alone(cli):
    assert cli("list", "targets").out == TARGETS
    assert cli("list", "experiments").out == "experiments:\n  quick  How do they compare?\n"


def test_a_machine_reads_the_same_list(cli):
    listed = json.loads(cli("list", "--json").out)
    assert list(listed) == ["targets", "workloads", "experiments", "capabilities", "faults"]
    assert listed["workloads"] == {"profile": "Profile", "static": "Static file"}
    assert json.loads(cli("list", "workloads", "--json").out) == {"workloads": listed["workloads"]}


def test_an_unknown_kind_is_refused_with_the_known_ones(cli):
    refused = cli("list", "target")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith('serverlab: Invalid value "target" for KIND. ')
    assert '"targets", "workloads", "experiments", "capabilities", "faults"' in refused.err


def test_a_sound_checkout_is_told_in_one_line(cli):
    checked = cli("check")
    assert checked.out == "4 servers, 1 edge, 2 workloads, 1 experiment, 0 claims: no mistake found\n"
    assert (checked.code, checked.err) == (0, "")


@pytest.fixture
def broken(root):
    write(root, "deploy/gunicorn/server.toml", GUNICORN.replace('title = "Gunicorn"', 'titel = "Gunicorn"'))
    write(root, "loadtests/profile/workload.toml", PROFILE.replace("users = 16", 'users = "many"'))
    write(root, "loadtests/static/workload.toml", "format = 1\ntitle = \n")
    write(root, "experiments/quick.toml", QUICK.replace("rounds", "round"))


KNOWN = {
    "server": (
        "format, title, interface, distribution, docs, default_variant, "
        "capabilities, signals, identity, variants, settings, differences"
    ),
    "experiment": (
        "format, title, question, targets, workloads, reference, comparisons, reference_scope, rounds, seed, cpus, "
        "load, control, predictions, capacity"
    ),
}

MISTAKES = f"""\
serverlab: deploy/gunicorn/server.toml: titel: unknown key, did you mean 'title'? (known: {KNOWN["server"]})
deploy/gunicorn/server.toml: title: missing
loadtests/profile/workload.toml: users: Expected `int`, got `str` (found 'many')
loadtests/static/workload.toml: not valid TOML: Invalid value (at line 2, column 9)
"""

IN_THE_EXPERIMENT = (
    f"experiments/quick.toml: round: unknown key, did you mean 'rounds'? (known: {KNOWN['experiment']})\n"
)


@pytest.mark.usefixtures("broken")
def test_all_mistakes_of_all_files_are_told_at_once(cli):
    checked = cli("check")
    assert checked.err == MISTAKES + IN_THE_EXPERIMENT + "5 mistakes.\n"
    assert (checked.code, checked.out) == (2, "")


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    "words", [("list",), ("up", "gunicorn"), ("locust", "gunicorn"), ("run", "quick", "--dry-run")]
)
def test_no_other_verb_works_with_mistakes_and_all_of_them_are_told(cli, fake, words):
    refused = cli(*words)
    assert refused.err == MISTAKES + "`serverlab check` reads all files again.\n"
    assert (refused.code, refused.out, fake.shell.calls) == (2, "", [])
