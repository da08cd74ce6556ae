"""Facts about the machine, and sharing out its cores."""

import json
import os
import platform

import pytest

from serverlab import host
from serverlab.errors import CommandFailed, EnvironmentLacks, UsageError
from serverlab.model.records import CoreSplit
from tests.fakes import NO, Answer, FakeShell

ENGINE = {
    "NCPU": 4,
    "MemTotal": 8_000_000_000,
    "OperatingSystem": "Debian GNU/Linux 13",
    "KernelVersion": "6.12.0-vm",
    "CgroupVersion": "2",
    "ServerVersion": "28.0.0",
    "Architecture": "aarch64",
}
INFO = "docker info --format {{json .}}"


def engine(**changes):
    return FakeShell({INFO: Answer(stdout=json.dumps(ENGINE | changes))})


def proc(tmp_path, **files):
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("cpus", "cores", "expected"),
    [
        (1, [0, 1], CoreSplit(stack="0", generator="1", disjoint=True)),
        (2, [0, 1], CoreSplit(stack="0-1", generator="1", disjoint=False)),
        (1, [0], CoreSplit(stack="0", generator="0", disjoint=False)),
        (2, [0, 1, 2, 3], CoreSplit(stack="0-1", generator="2-3", disjoint=True)),
        (2, [3, 5, 7], CoreSplit(stack="3,5", generator="7", disjoint=True)),
    ],
)
def test_the_stack_gets_the_first_cores_and_the_generator_what_is_left(cpus, cores, expected):
    assert host.assign_cores(cpus, cores) == expected


@pytest.mark.parametrize("cpus", [0, -1, 3])
def test_a_budget_that_is_not_there_is_refused(cpus):
    with pytest.raises(UsageError, match=f"A budget of {cpus} cores cannot be given"):
        host.assign_cores(cpus, [0, 1])


@pytest.mark.parametrize(
    ("cores", "text"),
    [([0], "0"), ([0, 1, 2], "0-2"), ([5, 0, 1, 2], "0-2,5"), ([0, 2, 4], "0,2,4"), ([], "")],
)
def test_cores_are_written_as_ranges(cores, text):
    assert host.cpuset(cores) == text


def test_the_cores_of_this_process_count_when_the_engine_counts_as_many():
    assert host.usable_cores(2, own=[2, 3]) == (2, 3)


def test_the_engines_count_wins_when_it_differs():
    assert host.usable_cores(4, own=[0, 1]) == (0, 1, 2, 3)


def test_an_engine_that_does_not_count_leaves_it_to_us():
    assert host.usable_cores(0, own=[0, 1]) == (0, 1)


def test_an_engine_elsewhere_is_described_by_what_it_says_itself(tmp_path):
    facts = host.read_host(engine(NCPU=len(os.sched_getaffinity(0)) + 1), tmp_path)
    assert facts == host.HostFacts(
        os="Debian GNU/Linux 13",
        kernel="6.12.0-vm",
        cpu_model="aarch64",
        cores=tuple(range(len(os.sched_getaffinity(0)) + 1)),
        memory_bytes=8_000_000_000,
        cgroup="v2",
        engine="28.0.0",
        clock_source=None,
        load_average=None,
    )


def test_an_engine_on_this_kernel_is_described_by_the_kernel_too(tmp_path):
    root = proc(
        tmp_path,
        proc__cpuinfo="processor\t: 0\nmodel name\t: Fast CPU 3000\n",
        sys__devices__system__clocksource__clocksource0__current_clocksource="tsc\n",
    )
    facts = host.read_host(engine(KernelVersion=platform.release()), root)
    assert (facts.cpu_model, facts.clock_source) == ("Fast CPU 3000", "tsc")
    assert facts.load_average is not None


def test_a_connected_engine_is_asked_for_its_cores():
    class Client:
        def info(self):
            return {"NCPU": 64}

    class Connected:
        client = Client()

    assert host.cores_of(Connected()) == tuple(range(64))


def test_a_silent_engine_is_no_machine():
    with pytest.raises(CommandFailed, match="docker info"):
        host.read_host(FakeShell({INFO: NO}))


def test_a_client_that_ends_well_without_an_engine_is_seen_through():
    with pytest.raises(EnvironmentLacks, match="No container engine answers: cannot connect"):
        host.read_host(engine(ServerErrors=["cannot connect"]))


def test_a_processor_without_a_name_is_known_by_its_architecture(tmp_path):
    assert host.cpu_model(tmp_path) == platform.machine()


def test_steal_time_is_the_eighth_field_in_seconds(tmp_path):
    ticks = os.sysconf("SC_CLK_TCK")
    text = f"cpu  1 2 3 4 5 6 7 {3 * ticks} 9 10\ncpu0 0 0 0 0 0 0 0 99 0 0\n"
    assert host.steal_s(proc(tmp_path, proc__stat=text)) == 3.0


def test_steal_time_that_nobody_counts_is_none_taken(tmp_path):
    assert host.steal_s(tmp_path) == 0.0


def test_available_memory_is_what_the_kernel_says_of_it(tmp_path):
    text = "MemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    2097152 kB\n"
    assert host.available_memory_mib(proc(tmp_path, proc__meminfo=text)) == 2048.0


def test_available_memory_that_nobody_tells_is_enough(tmp_path):
    assert host.available_memory_mib(tmp_path) == float("inf")
