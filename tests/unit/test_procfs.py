"""What the files of proc(5) say about processes, read from a tree written by hand."""

import os

import pytest

from serverlab import procfs
from serverlab.procfs import ProcessReading, ThreadReading

CONTAINER = "c0ffee" * 10
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def stat(*, parent=1, user=0, system=0, began=500, name="gunicorn"):
    """A line of /proc/PID/stat up to the 22nd field."""
    return f"7 ({name}) S {parent} 1 1 0 -1 4194560 1 0 0 0 {user} {system} 0 0 20 0 1 0 {began} 1000 10\n"


def switched(voluntary, involuntary):
    return f"Name:\tx\nvoluntary_ctxt_switches:\t{voluntary}\nnonvoluntary_ctxt_switches:\t{involuntary}\n"


@pytest.fixture
def write(tmp_path):
    def write(pid, **files):
        for name, text in files.items():
            path = tmp_path / "proc" / str(pid) / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("cgroup", "is_there"),
    [
        pytest.param(f"8:pids:/docker/{CONTAINER}\n0::/docker/{CONTAINER}\n", True, id="v1"),
        pytest.param(f"0::/system.slice/docker-{CONTAINER}.scope\n", True, id="v2"),
        pytest.param("0::/user.slice/session-1.scope\n", False, id="another process"),
    ],
)
def test_a_process_is_the_containers_when_its_control_group_says_so(write, cgroup, is_there):
    assert procfs.is_of_container(7, CONTAINER, write(7, cgroup=cgroup)) is is_there


def test_a_process_that_is_not_on_this_machine_is_nobodys(tmp_path):
    assert not procfs.is_of_container(7, CONTAINER, tmp_path)
    assert not procfs.is_of_container(0, CONTAINER, tmp_path)


def test_a_family_is_a_process_with_all_that_descends_from_it(write):
    for pid, parent in ((10, 1), (11, 10), (12, 10), (13, 11), (20, 1), (21, 20), (30, 2)):
        root = write(pid, stat=stat(parent=parent))
    write("self", stat=stat(parent=10))
    found = procfs.families([10, 20], root)
    assert {pid: sorted(family) for pid, family in found.items()} == {10: [10, 11, 12, 13], 20: [20, 21]}


def test_a_process_is_read_with_its_threads(write):
    root = write(
        7,
        stat=stat(user=300, system=100, began=42, name="a (b) c"),
        comm="a (b) c\n",
        task__7__stat=stat(user=200, system=50),
        task__7__status=switched(11, 2),
        task__8__stat=stat(user=90, system=50),
        task__8__status=switched(5, 1),
    )
    assert procfs.read_process(7, root) == ProcessReading(
        pid=7,
        name="a (b) c",
        began=42,
        user_s=300 * TICK_S,
        system_s=100 * TICK_S,
        threads={
            7: ThreadReading(cpu_s=250 * TICK_S, switches=(11, 2)),
            8: ThreadReading(cpu_s=140 * TICK_S, switches=(5, 1)),
        },
    )


def test_a_process_that_has_ended_is_not_read(tmp_path):
    assert procfs.read_process(7, tmp_path) is None


def test_this_process_can_be_read():
    reading = procfs.read_process(os.getpid())
    assert os.getpid() in reading.threads
    assert os.getpid() in procfs.families([os.getppid()])[os.getppid()]
    assert procfs.pss_bytes(os.getpid()) > 1_000_000
    assert procfs.busy_s() > 0


def test_pss_is_read_in_bytes_and_an_ended_process_has_none_left(write):
    rollup = "00400000-7ffe [rollup]\nRss:      75800 kB\nPss:      60046 kB\nPss_Dirty:   38238 kB\n"
    root = write(7, smaps_rollup=rollup)
    assert procfs.pss_bytes(7, root) == 60046 * 1024
    assert procfs.pss_bytes(8, root) == 0


def test_pss_that_may_not_be_read_is_absent_and_not_0(monkeypatch, tmp_path):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(procfs, "_text", refuse)
    assert procfs.pss_bytes(7, tmp_path) is None


def test_open_connections_are_the_established_ones_to_the_port(write):
    heading = "  sl  local_address rem_address   st tx_queue rx_queue\n"
    root = write(
        7,
        net__tcp=heading
        + "   0: 00000000:1538 00000000:0000 0A 0 0\n"  # listening
        + "   1: 020012AC:1538 030012AC:D431 01 0 0\n"
        + "   2: 020012AC:1538 030012AC:D432 06 0 0\n"  # ended
        + "   3: 020012AC:D433 030012AC:1538 01 0 0\n",  # to elsewhere
        net__tcp6=heading + "   0: 0000000000000000FFFF0000020012AC:1538 0000000000000000:D434 01 0 0\n",
    )
    assert procfs.established(7, 5432, root) == 2
    assert procfs.established(8, 5432, root) is None


def test_time_the_cores_worked_leaves_out_idle_waiting_and_stolen_time(write):
    root = write(7, stat=stat())
    (root / "proc/stat").write_text("cpu  100 20 30 4000 500 6 7 800 90 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
    assert procfs.busy_s(root) == pytest.approx((100 + 20 + 30 + 6 + 7) * TICK_S)


@pytest.mark.parametrize("text", ["", "cpu 1 2\n", "cpu a b c d e f g h\n"])
def test_time_the_cores_worked_is_absent_where_the_kernel_does_not_tell(tmp_path, text):
    (tmp_path / "proc").mkdir()
    assert procfs.busy_s(tmp_path) is None
    (tmp_path / "proc/stat").write_text(text)
    assert procfs.busy_s(tmp_path) is None
