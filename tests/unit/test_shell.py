"""The one module that starts processes, tried with real ones."""

import os
import signal
import sys
import threading
import time

import pytest

from serverlab.errors import CommandFailed
from serverlab.shell import HostShell, run_checked

SHELL = HostShell()


def python(code, *arguments):
    return [sys.executable, "-c", code, *arguments]


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(holds, *, deadline_s=10):
    """Spin until `holds()`; fail after the deadline."""
    end = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < end, "did not become true in time"
        time.sleep(0.01)


def test_both_streams_and_the_exit_code_come_back_apart():
    done = SHELL.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.returncode, done.stdout, done.stderr, done.ok) == (3, "out\n", "err\n", False)


def test_input_reaches_the_command():
    assert SHELL.run(["cat"], input_text="grüße\n").stdout == "grüße\n"


def test_a_command_that_does_not_want_its_input_is_no_error():
    assert SHELL.run(["true"], input_text="x" * 1_000_000).ok


def test_without_input_a_command_that_reads_ends_at_once():
    assert SHELL.run(["cat"], timeout_s=5).stdout == ""


def test_the_environment_is_added_to_ours():
    done = SHELL.run(["sh", "-c", "echo $ONE $PATH"], env={"ONE": "1"})
    assert done.stdout == f"1 {os.environ['PATH']}\n"


@pytest.mark.parametrize("name", ["LAB_THREADS", "LOCUST_USERS", "COMPOSE_PROJECT_NAME"])
def test_settings_of_stacks_are_not_taken_from_whoever_calls_the_lab(monkeypatch, name):
    monkeypatch.setenv(name, "2")
    assert SHELL.run(["sh", "-c", f"echo ${name}"]).stdout == "\n"
    assert SHELL.run(["sh", "-c", f"echo ${name}"], env={name: "3"}).stdout == "3\n"


def test_a_command_runs_where_it_is_told(tmp_path):
    assert SHELL.run(["pwd", "-P"], cwd=tmp_path).stdout.strip() == str(tmp_path.resolve())


def test_a_missing_command_ends_like_in_a_posix_shell():
    done = SHELL.run(["no-such-command-anywhere"])
    assert (done.returncode, done.stderr) == (127, "no-such-command-anywhere: not found")


def test_lines_are_handed_on_while_the_command_still_runs(tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seen = []

    def open_the_gate(line):
        seen.append(line)
        if line == "first":
            gate.write_text("go")

    SHELL.run(
        ["sh", "-c", f"echo first; cat {gate} >/dev/null; echo second"], on_line=open_the_gate, timeout_s=10
    )
    assert seen == ["first", "second"]


def test_each_listener_gets_its_own_stream():
    out, err = [], []
    SHELL.run(["sh", "-c", "echo a; echo b >&2"], on_line=out.append, on_error_line=err.append)
    assert (out, err) == (["a"], ["b"])


def test_bytes_that_are_no_utf_8_do_not_break_the_lab():
    assert SHELL.run(["printf", r"\377ok"]).stdout == "\N{REPLACEMENT CHARACTER}ok"


def test_a_late_command_is_stopped_and_its_last_words_are_kept():
    pids = []
    code = "import os, time; print(os.getpid(), flush=True); print('working', flush=True); time.sleep(60)"
    with pytest.raises(CommandFailed, match=r"did not end within 1 s\n(.|\n)*\| working"):
        SHELL.run(python(code), timeout_s=1, on_line=pids.append)
    assert not is_alive(int(pids[0]))


def test_a_late_command_that_has_closed_its_output_is_stopped_too():
    with pytest.raises(CommandFailed, match="did not end within"):
        SHELL.run(["sh", "-c", "exec >&- 2>&-; sleep 60"], timeout_s=0.5)


def test_an_exception_in_a_listener_stops_the_whole_process_group():
    pids = []

    def raise_at_second(line):
        pids.append(int(line))
        if len(pids) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SHELL.run(["sh", "-c", "echo $$; sleep 60 & echo $!; wait"], on_line=raise_at_second)
    wait_until(lambda: not any(map(is_alive, pids)))


def test_ctrl_c_stops_the_child_before_it_goes_on():
    pids = []

    def interrupt_us(line):
        pids.append(int(line))
        threading.Timer(0.1, signal.raise_signal, [signal.SIGINT]).start()

    with pytest.raises(KeyboardInterrupt):
        SHELL.run(["sh", "-c", "echo $$; exec sleep 60"], on_line=interrupt_us, timeout_s=10)
    assert not is_alive(pids[0])


def test_ctrl_c_of_the_terminal_does_not_reach_the_child():
    done = SHELL.run(python("import os; print(os.getpgid(0))"))
    assert int(done.stdout) != os.getpgid(0)


def test_a_grandchild_that_keeps_the_output_open_does_not_keep_us_waiting():
    began = time.monotonic()
    done = SHELL.run(["sh", "-c", "sleep 30 & echo $!"])
    os.kill(int(done.stdout), signal.SIGKILL)
    assert time.monotonic() - began < 10


def test_checked_returns_what_a_good_command_said():
    assert run_checked(SHELL, ["echo", "fine"]).stdout == "fine\n"


def test_checked_raises_with_the_last_lines_and_the_hint():
    with pytest.raises(CommandFailed) as caught:
        run_checked(
            SHELL, ["sh", "-c", "seq 1 40 >&2; exit 9"], what="counting", hint="count less", last_lines=2
        )
    assert str(caught.value) == "counting: failed with exit code 9\n  | 39\n  | 40\ncount less"


def test_checked_shows_standard_output_when_nothing_else_was_said():
    with pytest.raises(CommandFailed) as caught:
        run_checked(SHELL, ["sh", "-c", "echo only here; exit 1"], what="x")
    assert str(caught.value) == "x: failed with exit code 1\n  | only here"


def test_a_started_command_outlives_the_call_and_writes_its_log(tmp_path):
    log = tmp_path / "logs" / "daemon.log"
    shell = HostShell()
    pid = shell.start(["sh", "-c", "echo started; exec sleep 60"], log=log)
    try:
        wait_until(lambda: log.read_text() == "started\n")
        assert os.getsid(pid) == pid
    finally:
        os.kill(pid, signal.SIGKILL)
        shell._started[0].wait()


def test_starting_a_missing_command_says_so(tmp_path):
    with pytest.raises(CommandFailed, match="no-such-daemon: not found"):
        SHELL.start(["no-such-daemon"], log=tmp_path / "log")
