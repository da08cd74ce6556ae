"""What a search found, as people read it, as machines do, and between markers in the docs."""

import textwrap

import msgspec
import pytest

from serverlab.errors import UsageError
from serverlab.model.capacity import Answer, Found, Outcome
from serverlab.model.capacity_tables import (
    AtShare,
    CapacityRow,
    CapacitySection,
    CapacityTable,
    CurvePoint,
    FurtherRun,
    Scalability,
    SearchIn,
)
from serverlab.model.regressions import Differing
from serverlab.model.tables import Fact, Interval
from serverlab.reports import render_docs
from serverlab.reports.capacity import FORMATS, LAW
from tests.unit.analysis.test_capacity_tabulating import a_search, costly, later
from tests.unit.builders import GTHREAD, RUNSERVER, UWSGI
from tests.unit.reports.test_docs import save

RUN = "capacity/20261122-101500"
SEARCH = f"results/{RUN}"
AGAIN = "results/again/20261123-101500"
DAPHNE = "daphne:production"

TEXT = """\
Capacity (capacity/20261122-101500)
What do they carry?

Lab  serverlab 0.1.0

profile, 1 core
---------------
Load  open

target              capacity req/s  missed at  req /CPU s  p50 / p99 ms at 50 %  p50 / p99 ms at 90 %     trials
gunicorn:gthread               300        312         347           3.20 / 8.10              9.00 / –          9
uwsgi:http            at least 412          –         420           2.00 / 5.50                  VOID  9, 2 VOID
daphne:production   less than 1.00       1.00           –                     –                     –          4
runserver:threaded         unknown          –           –                     –                     –  2, 2 VOID
apache:daemon                  n/a          –           –                     –                     –          0

target            1 user  8 users      X(1) req/s           contention             coherency    peak at
gunicorn:gthread     100      355  101 [98.0–104]  0.050 [0.040–0.060]  0.010 [0.0080–0.012]  9.7 users

"""


def interval(middle, low, high):
    return Interval(middle=middle, low=low, high=high, level=0.95, method="Student's t", count=12)


FIT = Scalability(
    rate_of_one=interval(101.0, 98.0, 104.0),
    contention=interval(0.05, 0.04, 0.06),
    coherency=interval(0.01, 0.008, 0.012),
    most_users=8,
    peak_users=9.74,
    error=0.021,
)


def at(share, *, p50_us, p99_us, answer=Answer.MET, reason=""):
    return AtShare(
        share=share,
        rate=share * 300,
        answer=answer,
        reason=reason,
        p50_us=p50_us,
        p99_us=p99_us,
        error_share=0.0,
    )


def a_search_in(run, outcome=Outcome.FOUND, rate=None, missed_at=None, *, reason="", doubted=False):
    found = Found(outcome=outcome, rate=rate, missed_at=missed_at, reason=reason)
    return SearchIn(run=run, found=found, cpu_ms=(2.0, 2.1), doubted=doubted)


def a_row(target, outcome=Outcome.FOUND, rate=None, missed_at=None, **changes):
    search = a_search_in(RUN, outcome, rate, missed_at, reason=changes.pop("reason", ""))
    plain = {
        "target": target,
        "lacks": None,
        "found": search.found,
        "searches": (search,),
        "per_cpu_s": None,
        "trials": 9,
        "void": 0,
        "latencies": (),
        "curve": (),
        "fit": None,
        "remarks": (),
    }
    return CapacityRow(**plain | changes)


ROWS = (
    a_row(
        GTHREAD,
        rate=300.0,
        missed_at=312.0,
        per_cpu_s=346.7,
        latencies=(at(0.5, p50_us=3200, p99_us=8100), at(0.9, p50_us=9000, p99_us=None)),
        curve=(
            CurvePoint(users=1, throughput=100.0, each=(100.0,)),
            CurvePoint(users=8, throughput=355.0, each=(355.0,)),
        ),
        fit=FIT,
    ),
    a_row(
        UWSGI,
        Outcome.AT_LEAST,
        412.0,
        reason="420/s was VOID: generator-bound: it used 97% of a core",
        void=2,
        per_cpu_s=420.0,
        latencies=(
            at(0.5, p50_us=2000, p99_us=5500),
            at(0.9, p50_us=None, p99_us=None, answer=Answer.VOID, reason="the clock was set"),
        ),
        remarks=("VOID, latency, 2 trials: the clock was set",),
    ),
    a_row(DAPHNE, Outcome.LESS_THAN, 1.0, 1.0, reason="it is the lowest rate that is tried", trials=4),
    a_row(RUNSERVER, Outcome.UNKNOWN, reason="nothing was answered: \x1b[31mit died", trials=2, void=2),
    a_row("apache:daemon", Outcome.UNKNOWN, reason="not tried", lacks="static", trials=0),
)
TABLE = CapacityTable(
    run=RUN,
    title="Capacity",
    question="What do they carry?",
    slo=("p99<=250ms",),
    facts=(Fact(label="Lab", value="serverlab 0.1.0"),),
    sections=(
        CapacitySection(
            workload="profile", cpus=1, conditions=(Fact(label="Load", value="open"),), rows=ROWS
        ),
    ),
)


def test_a_table_for_a_terminal_has_each_rate_with_what_it_is():
    text = FORMATS["text"](TABLE)
    assert text.startswith(TEXT)
    assert text.removeprefix(TEXT).splitlines() == [
        "gunicorn:gthread: its closed trials lie 2.1 % off the fit",
        "uwsgi:http: at least: 420/s was VOID: generator-bound: it used 97% of a core",
        "uwsgi:http: at 90 % of its capacity: void: the clock was set",
        "uwsgi:http: VOID, latency, 2 trials: the clock was set",
        "daphne:production: less than: it is the lowest rate that is tried",
        "runserver:threaded: unknown: nothing was answered: it died",
        "apache:daemon: it lacks the capability 'static'",
        *textwrap.wrap(LAW, 120, subsequent_indent="    "),
    ]


def test_a_page_has_the_same_rows_and_remarks():
    page = FORMATS["markdown"](TABLE)
    assert "## profile, 1 core\n" in page
    assert "| uwsgi:http | at least 412 | – | 420 | 2.00 / 5.50 | VOID | 9, 2 VOID |\n" in page
    assert "| gunicorn:gthread | 100 | 355 | 101 \\[98.0–104\\] |" in page
    assert "- runserver:threaded: unknown: nothing was answered: it died\n" in page
    assert page.endswith("Run `capacity/20261122-101500`:\n\n- Lab: serverlab 0.1.0\n")


def test_a_machine_reads_back_what_was_found():
    assert msgspec.json.decode(FORMATS["json"](TABLE), type=CapacityTable) == TABLE


def test_a_search_without_a_curve_has_one_grid():
    rows = tuple(msgspec.structs.replace(row, curve=(), fit=None) for row in ROWS)
    section = msgspec.structs.replace(TABLE.sections[0], rows=rows)
    assert "contention" not in FORMATS["text"](msgspec.structs.replace(TABLE, sections=(section,)))


def test_a_curve_alone_says_nothing_of_capacities():
    text = FORMATS["text"](msgspec.structs.replace(TABLE, slo=()))
    assert "capacity req/s" not in text
    assert "it died" not in text
    assert "contention" in text


TOGETHER = """\
Capacity (capacity/20261122-101500, capacity/20261123-101500)
What do they carry?

Lab  serverlab 0.1.0

capacity/20261123-101500, all else as above
UNLIKE the first  kernel: 6.1.0 → 6.2.0; in one table with it because that was asked for
Measured          2026-11-23
Differs, too      commit, files of lab

profile, 1 core
---------------

target                     capacity req/s  missed at  req /CPU s  trials
gunicorn:gthread               (258), 511        537           –       9
uwsgi:http        (at least 412), unknown          –           –       9

uwsgi:http: unknown: it died
uwsgi:http: it did not cost the same
"""
TOGETHER_PAGE = """\
# Capacity

What do they carry?

## profile, 1 core

| target | capacity req/s | missed at | req /CPU s | trials |
| :-- | --: | --: | --: | :-- |
| gunicorn:gthread | (258), 511 | 537 | – | 9 |
| uwsgi:http | (at least 412), unknown | – | – | 9 |

- uwsgi:http: unknown: it died
- uwsgi:http: it did not cost the same

Run `capacity/20261122-101500`:

- Lab: serverlab 0.1.0

Run `capacity/20261123-101500`, all else as above:

- UNLIKE the first: kernel: 6.1.0 → 6.2.0; in one table with it because that was asked for
- Measured: 2026-11-23
- Differs, too: commit, files of lab
"""


def test_searches_of_several_runs_stand_side_by_side_those_that_are_doubted_in_brackets():
    first, second = (
        a_search_in(name, rate=rate, missed_at=rate * 1.05) for name, rate in (("a", 258.0), ("b", 511.0))
    )
    twice = a_row(
        GTHREAD,
        rate=511.0,
        missed_at=537.0,
        searches=(msgspec.structs.replace(first, doubted=True), second),
    )
    doubted = a_search_in("a", Outcome.AT_LEAST, 412.0, doubted=True)
    unknown = a_row(
        UWSGI,
        Outcome.UNKNOWN,
        reason="it died",
        searches=(doubted, a_search_in("b", Outcome.UNKNOWN)),
        remarks=("it did not cost the same",),
    )
    further = FurtherRun(
        run="capacity/20261123-101500",
        facts=(Fact(label="Measured", value="2026-11-23"),),
        unlike=(Differing(what="kernel", base="6.1.0", new="6.2.0"),),
        differing=tuple(Differing(what=each, base="a", new="b") for each in ("commit", "files of lab")),
    )
    section = msgspec.structs.replace(TABLE.sections[0], conditions=(), rows=(twice, unknown))
    table = msgspec.structs.replace(TABLE, sections=(section,), further=(further,))
    assert FORMATS["text"](table) == TOGETHER
    assert FORMATS["markdown"](table) == TOGETHER_PAGE


@pytest.fixture
def page(tmp_path):
    save(tmp_path, SEARCH, a_search(curve=True))
    return tmp_path / "README.md"


def rendered(page, text):
    page.write_text(text, encoding="utf-8")
    render_docs([page], page.parent)
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("chosen", ["", " workload=profile cpus=1"])
def test_what_was_found_is_rendered_between_markers(page, chosen):
    text = rendered(page, f"Before\n\n<!-- capacity: {SEARCH}{chosen} -->\nold\n<!-- /capacity -->\n")
    assert text.startswith(
        f"Before\n\n<!-- capacity: {SEARCH}{chosen} -->\n**profile, 1 core**\n\n| target | "
    )
    assert "| gunicorn:gthread | 300 | 312 | 421 | 30.0 / 60.0 | 400 / 800 | 16, 1 VOID |\n" in text
    assert "\n- Objectives: p99&lt;=250ms, errors&lt;=0.1%\n" in text
    assert text.endswith("\n<!-- /capacity -->\n")


def test_a_search_has_no_table_of_a_run(page):
    with pytest.raises(UsageError, match="a search for capacity"):
        rendered(page, f"<!-- table: {SEARCH} --><!-- /table -->\n")


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        (f"{SEARCH} workload=ping", "no section workload=ping. There are: workload=profile cpus=1"),
        (f"{SEARCH} unlike=maybe", "capacity marker: unlike=maybe is neither yes nor no"),
        (f"{SEARCH} {SEARCH}", "capacity/20261122-101500: the same run twice"),
        (f"{SEARCH} workload=profile {SEARCH}", "unknown key of a capacity marker 'results/capacity"),
        (f"{SEARCH} target=x", "unknown key of a capacity marker 'target'"),
        ("results/capacity/none", "results/capacity/none: no such run"),
    ],
)
def test_a_marker_that_names_nothing_is_refused(page, marker, said):
    with pytest.raises(UsageError) as refused:
        rendered(page, f"<!-- capacity: {marker} --><!-- /capacity -->\n")
    assert said in refused.value.what


BETWEEN_MARKERS = """\
**profile, 1 core**

| target | capacity req/s | missed at | req /CPU s | p50 / p99 ms at 50 % | p50 / p99 ms at 90 % | trials |
| :-- | --: | --: | --: | --: | --: | :-- |
| gunicorn:gthread | (300), 520 | 541 | 421 | 30.0 / 60.0 | 400 / 800 | 8, 1 VOID |
| runserver:threaded | unknown, unknown | – | – | – | – | 2, 2 VOID |
| uwsgi:http | n/a | – | – | – | – | 0 |

- Workload: Profile: JWT verified, user read
- Load: open, poisson arrivals, at most 64 requests in flight, each on its own connection; latency from the moment a \
request is due; windows of 10 s, longer where a rate is low
- Objectives: p99&lt;=250ms, errors&lt;=0.1%
- Capacity: two fresh trials met the objectives at it or above it, the last of them at it, and within 5.0 % above it \
a trial missed them
- Budget: 1 core: stack on 0, generator on 1
- Searches: each target's in the order of capacity/20261122-101500, capacity/20261123-101500; ranked by the geometric \
mean of those that found a rate and are not in brackets, and all else is of the newest of them
- In brackets: what was found while an answer cost the app over a quarter more CPU than it did at the least in any \
search of the target; nothing is ranked by it
- gunicorn:gthread: at 90 % of its capacity: missed: p99 is 800 ms, not 250 at most
- gunicorn:gthread: VOID, latency, 1 trial: the clock was set
- runserver:threaded: unknown: nothing was answered: it died
- runserver:threaded: VOID, closed, 2 trials: it died
- uwsgi:http: it lacks the capability 'static'

Run `capacity/20261122-101500`:

- Measured: 2026-11-22T10:15:00+00:00, 7 valid of 10 trials, 3 VOID
- Machine: Example CPU, 2 cores, 8.0 GiB, Debian GNU/Linux 12, kernel 6.1.0
- Engine: 26.1.5, Compose 2.26.1, cgroup v2
- Lab: serverlab 0.1.0, commit 0123456789ab, Python 3.11.7
- Database: sqlite
- Equal for all: memory: 1 GiB; keep-alive: 75 s
- Versions: Django 5.2.19, gunicorn 27.0.1, Locust 2.47.0, Python in the containers 3.13.5, runserver 27.0.1

Run `capacity/20261123-101500`, all else as above:

- Measured: 2026-11-23T10:15:00+00:00, 7 valid of 10 trials, 3 VOID
- Differs, too: started
"""


@pytest.fixture
def pages(tmp_path):
    """Makes a page beside two searches, of which the first is doubted and the second has another environment."""

    def made(**environment):
        save(tmp_path, SEARCH, costly(a_search()))
        save(tmp_path, AGAIN, later(a_search(rate=520.0), **environment))
        return tmp_path / "README.md"

    return made


def test_two_searches_are_rendered_as_one_table_between_markers(pages):
    marker = f"<!-- capacity: {SEARCH} {AGAIN} -->"
    assert (
        rendered(pages(), f"{marker}<!-- /capacity -->\n")
        == f"{marker}\n{BETWEEN_MARKERS}<!-- /capacity -->\n"
    )


def test_searches_that_are_unlike_are_rendered_only_where_that_is_asked_for(pages):
    path = pages(kernel="6.2.0")
    with pytest.raises(UsageError) as refused:
        rendered(path, f"<!-- capacity: {SEARCH} {AGAIN} --><!-- /capacity -->\n")
    assert refused.value.what == (
        "README.md, line 1: capacity/20261122-101500 and capacity/20261123-101500 are unlike:\n"
        "  kernel: 6.1.0 → 6.2.0. Search both alike; with --unlike, in the docs unlike=yes, they stand in one table "
        "all the same, which says so."
    )
    text = rendered(path, f"<!-- capacity: {SEARCH} {AGAIN} unlike=yes --><!-- /capacity -->\n")
    assert (
        "\n- UNLIKE the first: kernel: 6.1.0 → 6.2.0; in one table with it because that was asked for\n"
        in text
    )
