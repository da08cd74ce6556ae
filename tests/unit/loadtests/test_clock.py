"""The generator has one clock, which no correction of the machine's time makes jump."""

import ast
import time
from pathlib import Path

from shared import clock

LOADTESTS = Path(clock.__file__).parents[1]
SET_BY_OTHERS = {"time", "time_ns", "now", "utcnow", "today"}
"""What reads the wall clock, of the modules time and datetime."""


def wall_clocks(source):
    """The calls that read the wall clock, as they are written."""
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [
        ast.unparse(called)
        for called in calls
        if isinstance(called, ast.Attribute)
        and called.attr in SET_BY_OTHERS
        and "time" in ast.unparse(called)
    ]


def test_no_workload_reads_the_wall_clock_but_for_the_clock_itself():
    found = {
        str(path.relative_to(LOADTESTS)): wall_clocks(path.read_text()) for path in LOADTESTS.rglob("*.py")
    }
    assert {name: calls for name, calls in found.items() if calls} == {"shared/clock.py": ["time.time"]}


def test_every_file_that_measures_a_socket_takes_the_one_clock():
    for name in ("shared/sockets.py", "feed/locustfile.py", "idle-sockets/locustfile.py"):
        assert "from shared.clock import now_s\n" in (LOADTESTS / name).read_text()


def test_the_clock_goes_with_the_steady_one_when_the_machines_time_is_set(monkeypatch):
    before_s, steady_s = clock.now_s(), time.perf_counter()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    after_s, later_s = clock.now_s(), time.perf_counter()
    assert 0 <= after_s - before_s <= later_s - steady_s + 0.001
