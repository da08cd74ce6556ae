"""What happened to processes, connections and clocks between two moments, worked out by hand."""

import os

import pytest

from serverlab import vitals
from serverlab.model.usage import NetworkCounts, ProcessUse, Usage
from serverlab.procfs import ProcessReading, ThreadReading
from serverlab.vitals import ContainerVitals, Vitals
from tests.fake_engine import FakeClient

NOTHING = NetworkCounts(listen_overflows=0, listen_drops=0, retransmits=0, segments=0)


def process(pid, *, user_s=0.0, system_s=0.0, threads=None, began=1, name="gunicorn"):
    """A process with one thread that did all of it, unless told otherwise."""
    plain = {pid: ThreadReading(cpu_s=user_s + system_s, switches=(0, 0))}
    return ProcessReading(
        pid=pid, name=name, began=began, user_s=user_s, system_s=system_s, threads=threads or plain
    )


def at(*processes, role="app", container="one", network=NOTHING, busy_s=None):
    seen = ContainerVitals(role=role, container=container, processes=processes, network=network)
    return Vitals(busy_s=busy_s, containers=(seen,))


def hidden():
    unseen = ContainerVitals(role="app", container="one", processes=None, network=None)
    return Vitals(busy_s=None, containers=(unseen,))


def a_usage(cpu_s=1.0):
    return Usage(cpu_s=cpu_s, memory_peak_bytes=1, throttled_s=0.0, samples=3)


def thread(cpu_s, voluntary, involuntary):
    return ThreadReading(cpu_s=cpu_s, switches=(voluntary, involuntary))


def test_a_process_used_what_its_totals_grew():
    before = at(process(7, user_s=1.07, system_s=0.5, threads={7: thread(1.57, 10, 2)}))
    after = at(process(7, user_s=3.07, system_s=1.0, threads={7: thread(4.07, 110, 5)}))
    assert vitals.processes_within(before, after, {7: 900}) == {
        "app": (
            ProcessUse(
                container="one",
                pid=7,
                name="gunicorn",
                user_s=2.0,
                system_s=0.5,
                memory_pss_bytes=900,
                context_switches_voluntary=100,
                context_switches_involuntary=3,
            ),
        )
    }


def test_a_process_that_began_in_between_counts_from_its_beginning_even_under_a_pid_that_was_used_before():
    before = at(process(7, user_s=5.0, began=1))
    after = at(process(7, user_s=0.25, began=9))
    (use,) = vitals.processes_within(before, after, {})["app"]
    assert (use.cpu_s, use.memory_pss_bytes) == (0.25, None)


def test_switches_of_all_threads_are_summed_and_new_threads_count_from_their_beginning():
    before = at(process(7, user_s=1.0, threads={7: thread(1.0, 10, 0)}))
    after = at(process(7, user_s=3.0, threads={7: thread(2.0, 30, 1), 8: thread(1.0, 5, 4)}))
    (use,) = vitals.processes_within(before, after, {})["app"]
    assert (use.context_switches_voluntary, use.context_switches_involuntary) == (25, 5)


def test_switches_are_absent_where_threads_that_have_ended_did_much_of_the_work():
    before = at(process(7, user_s=1.0, threads={7: thread(1.0, 10, 0)}))
    after = at(process(7, user_s=11.0, threads={7: thread(3.0, 30, 1)}))  # 8 of 10 s by others
    (use,) = vitals.processes_within(before, after, {})["app"]
    assert (use.cpu_s, use.context_switches_voluntary, use.context_switches_involuntary) == (10.0, None, None)


def test_a_role_gets_its_processes_and_the_sums_of_their_switches():
    before = at(
        process(7, user_s=1.0, threads={7: thread(1.0, 1, 1)}), process(8, threads={8: thread(0.0, 2, 2)})
    )
    after = at(
        process(7, user_s=2.0, threads={7: thread(2.0, 11, 3)}), process(8, threads={8: thread(0.0, 7, 3)})
    )
    used = vitals.with_processes({"app": a_usage(), "edge": a_usage()}, before, after, {7: 5, 8: 6})
    assert (used["app"].context_switches_voluntary, used["app"].context_switches_involuntary) == (15, 3)
    assert [each.memory_pss_bytes for each in used["app"].processes] == [5, 6]
    assert used["edge"] == a_usage()


def test_one_process_with_unknown_switches_makes_the_sum_unknown():
    before = at(process(7, user_s=1.0), process(8, user_s=1.0))
    after = at(process(7, user_s=2.0), process(8, user_s=9.0, threads={8: thread(1.5, 1, 1)}))
    used = vitals.with_processes({"app": a_usage()}, before, after, {})["app"]
    assert (used.context_switches_voluntary, len(used.processes)) == (None, 2)


def test_what_cannot_be_seen_is_absent():
    assert vitals.with_processes({"app": a_usage()}, hidden(), hidden(), {}) == {"app": a_usage()}
    assert vitals.network_within(hidden(), hidden()) == {}
    assert vitals.other_cpu_s(hidden(), hidden(), {"app": a_usage()}) is None


def test_network_counts_of_a_roles_containers_are_summed():
    def moment(one, two):
        return Vitals(
            busy_s=None,
            containers=tuple(
                ContainerVitals(
                    role="app",
                    container=name,
                    processes=(),
                    network=NetworkCounts(
                        listen_overflows=n, listen_drops=n, retransmits=2 * n, segments=100 * n
                    ),
                )
                for name, n in (("one", one), ("two", two))
            ),
        )

    assert vitals.network_within(moment(1, 2), moment(4, 3)) == {
        "app": NetworkCounts(listen_overflows=4, listen_drops=4, retransmits=8, segments=400)
    }


def test_cpu_time_of_others_is_the_machines_without_the_containers():
    usage = {"app": a_usage(2.0), "load": a_usage(1.0)}
    assert vitals.other_cpu_s(at(busy_s=10.0), at(busy_s=14.5), usage) == pytest.approx(1.5)
    assert vitals.other_cpu_s(at(busy_s=10.0), at(busy_s=12.5), usage) == 0.0


@pytest.mark.parametrize(
    ("leads_s", "jump_s"),
    [
        ([100.0, 100.0, 98.5], -1.5),
        ([100.0, 101.0, 100.0], 1.0),
        ([100.0, 99.0, 100.0, 100.5], 1.5),
        ([100.0, 100.0], 0.0),
        ([100.0], None),
        ([], None),
    ],
)
def test_how_far_the_clock_was_set_is_told_wherever_in_the_trial_it_was_and_also_if_it_was_set_back(
    leads_s, jump_s
):
    assert vitals.clock_jump_s(leads_s) == jump_s


def test_the_clocks_are_compared_by_the_closest_pair_of_readings():
    steady = iter([0.0, 5.0, 10.0, 10.5, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0])
    wall = iter([1000.0, 1010.0, 1020.0, 1030.0, 1040.0])
    assert vitals.clock_lead_s(lambda: next(wall), lambda: next(steady)) == pytest.approx(1010.0 - 10.25)


def test_containers_that_this_machine_does_not_see_are_read_as_hidden():
    client = FakeClient()
    elsewhere = client.add("app", state={"Pid": os.getpid()})  # a process here, but none of the container
    ended = client.add("edge")
    found = vitals.read([elsewhere, ended])
    assert [(each.role, each.processes, each.network) for each in found.containers] == [
        ("app", None, None),
        ("edge", None, None),
    ]
    assert (found.pids, found.busy_s) == ({}, None)


def test_a_container_that_this_machine_sees_is_read_with_all_its_processes(tmp_path):
    container = FakeClient().add("app", state={"Pid": 10})
    line = "({name}) S {parent} 1 1 0 -1 0 1 0 0 0 200 100 0 0 20 0 1 0 5 1000 10\n"
    for pid, parent, name in ((10, 1, "docker-init"), (11, 10, "gunicorn"), (12, 1, "sh")):
        task = tmp_path / f"proc/{pid}/task/{pid}"
        task.mkdir(parents=True)
        for folder in (task, task.parent.parent):
            (folder / "stat").write_text(f"{pid} " + line.format(name=name, parent=parent))
        (task / "status").write_text("voluntary_ctxt_switches:\t4\nnonvoluntary_ctxt_switches:\t2\n")
        (tmp_path / f"proc/{pid}/comm").write_text(f"{name}\n")
        (tmp_path / f"proc/{pid}/cgroup").write_text(f"0::/docker/{container.id}\n")
    found = vitals.read([container], tmp_path)
    (seen,) = found.containers
    assert [(each.pid, each.name) for each in seen.processes] == [(10, "docker-init"), (11, "gunicorn")]
    assert (found.pids, seen.network) == ({container.id[:12]: [10, 11]}, None)
