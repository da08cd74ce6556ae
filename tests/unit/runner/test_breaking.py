"""A run that breaks things: every cell in its order, journalled before it is broken, saved before the next."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from functools import partial
from uuid import UUID

import docker.errors
import msgspec
import pytest

from serverlab import store
from serverlab.catalog import read_fault_experiment
from serverlab.errors import EnvironmentLacks, Interrupted, UsageError
from serverlab.faults import FAULTS
from serverlab.ledger import parse_ledger
from serverlab.model.fault_runs import StopConditions
from serverlab.model.faults import Happening, Rule, Timeline, Verdict
from serverlab.runner.breaking import Machine, facts_of, plan_faults, resume_faults, start_faults
from serverlab.runner.noise import Work
from tests.fake_breaking import (
    PLENTY,
    BreakableLab,
    StubFault,
    breaks_off,
    has_no_effect,
    is_not_undone,
)
from tests.fake_engine import refuse
from tests.fake_lab import interrupt
from tests.unit.builders import an_environment

STEPS = [Happening.JOURNALLED, Happening.INJECTED, Happening.REMOVED]


@pytest.fixture
def kind():
    return BreakableLab


def describe(**changes):
    def description(name, splits):
        return an_environment(run=name, core_splits=dict(splits), **changes)

    return description


def planned(fake, *faults, **changes):
    known = {fault.id: fault for fault in faults}
    path = fake.root / "experiments/breaking.toml"
    experiment = msgspec.structs.replace(
        read_fault_experiment(path, fake.lab.catalog, ["F-00"]), **({"faults": tuple(known)} | changes)
    )
    plan = plan_faults(fake.lab.catalog, experiment, known, name="breaking", experiment_hash="e" * 64)
    return plan, known


def start(fake, *faults, machine=PLENTY, **changes):
    plan, known = planned(fake, *faults, **changes)
    return start_faults(
        fake.lab,
        plan,
        known,
        cores=(0, 1),
        describe=describe(),
        clock=fake.time.clock,
        machine=machine,
    )


def resume(fake, *faults, **changes):
    known = {fault.id: fault for fault in faults}
    return resume_faults(
        fake.lab,
        folder(fake),
        known,
        describe=describe(**changes),
        clock=fake.time.clock,
        machine=PLENTY,
    )


def folder(fake):
    (path,) = (fake.root / "results/breaking").iterdir()
    return path


def saved(fake):
    return store.read_fault_run(folder(fake))


def journal(fake):
    lines = (folder(fake) / "journal.jsonl").read_text().splitlines()
    return [(entry["cell"], Happening(entry["what"])) for entry in map(json.loads, lines)]


def only_cell(fake, fault, **changes):
    start(fake, fault, targets=("gunicorn",), **changes)
    (cell,) = saved(fake).cells
    assert fake.client.is_empty
    return cell


def test_every_cell_is_tried_in_its_order_and_saved(fake):
    broken = start(fake, StubFault(), StubFault(id="F-01"), repetitions=2)
    run = saved(fake)
    assert broken.path == folder(fake)
    assert broken.stopped is None
    assert [cell.planned for cell in run.cells] == list(run.plan.cells)
    assert len(run.cells) == 8
    assert {cell.judgement.verdict for cell in run.cells} == {Verdict.PASS}
    assert run.problems == ()
    assert fake.client.is_empty


def test_each_repetition_has_every_cell_once_in_an_order_of_its_own(fake):
    plan, _ = planned(fake, StubFault(), StubFault(id="F-01"), StubFault(id="F-02"), repetitions=3)
    rounds = [[(each.fault, each.target) for each in plan.cells if each.repetition == n] for n in (1, 2, 3)]
    assert len({tuple(each) for each in rounds}) == 3
    assert len({frozenset(each) for each in rounds}) == 1
    assert planned(fake, StubFault(), StubFault(id="F-01"), StubFault(id="F-02"), repetitions=3)[0] == plan


def test_a_cell_holds_its_marks_its_course_and_what_the_fault_saw(fake):
    cell = only_cell(fake, StubFault())
    marks = {event.what: event.at_s for event in cell.events}
    assert list(marks) == [Happening.BEGAN, *STEPS, Happening.ENDED]
    assert marks[Happening.REMOVED] - marks[Happening.INJECTED] == pytest.approx(2, abs=0.5)
    assert marks[Happening.INJECTED] - marks[Happening.BEGAN] == pytest.approx(5, abs=0.5)
    assert (cell.measured, cell.notes) == ({"exit_code": 0}, ("a note",))
    assert {instant.failed for instant in cell.course} == {0}


def test_recovery_is_counted_from_when_the_cause_was_lifted_and_not_from_when_the_stack_was_back(fake):
    """The undo waits for three seconds until the stack is ready again: those are its outage."""
    fake.is_down = lambda after_s: 7.0 < after_s < 10.0
    cell = only_cell(fake, StubFault(marks=True, does={"undo": lambda: fake.time.pause(3.0)}))
    assert [event.what for event in cell.events] == [
        Happening.BEGAN,
        Happening.JOURNALLED,
        Happening.ACTED,
        Happening.INJECTED,
        Happening.LIFTED,
        Happening.REMOVED,
        Happening.ENDED,
    ]
    assert cell.judgement.toll.to_recovery_s == pytest.approx(3, abs=0.2)


def test_the_ledger_lies_beside_its_cell_and_is_the_one_that_was_judged(fake):
    cell = only_cell(fake, StubFault())
    name = f"{cell.planned.id}.ledger.jsonl.gz"
    text = gzip.decompress((folder(fake) / "raw" / name).read_bytes()).decode()
    ledger = parse_ledger(text.splitlines(), where=name)
    assert (ledger.sha256, len(ledger.attempts)) == (cell.ledger_sha256, cell.judgement.toll.attempts)


def test_what_is_done_is_in_the_journal_before_it_is_done(fake):
    seen = []
    fault = StubFault(
        does={"inject": lambda: seen.append(journal(fake)), "undo": lambda: seen.append(journal(fake))}
    )
    cell = only_cell(fake, fault)
    of = [(cell.planned.id, step) for step in STEPS]
    assert seen == [of[:1], of[:2]]
    assert journal(fake) == of


def test_data_of_a_stack_before_is_not_taken_for_phantoms(fake):
    fake.volume = [str(UUID(int=1))]
    cell = only_cell(fake, StubFault())
    assert (cell.judgement.verdict, cell.judgement.reason) == (
        Verdict.VOID,
        "1 entries are stored before any was written: its data is not fresh",
    )
    assert journal(fake) == []


@pytest.mark.parametrize(("when", "looks"), [("before", (0, 1)), ("after", (2, 3))])
def test_other_work_on_the_machine_makes_a_cell_void(fake, when, looks):
    """Of readings one second apart, two are those of a busy machine."""
    seen = []

    def work(_engine):
        seen.append(None)
        busy_s = 1000.0 if len(seen) - 1 == looks[1] else 0.0
        return Work(at_s=float(len(seen)), busy_s=busy_s, ours_s={"app": 0.0})

    cell = only_cell(fake, StubFault(), machine=replace(PLENTY, work=work))
    assert cell.judgement.verdict is Verdict.VOID
    assert cell.judgement.reason.startswith("host load: other work took 1000.0 of the machine's ")
    assert cell.judgement.reason.endswith(f"cores {when} the fault")


def test_a_machine_that_runs_short_while_a_fault_is_held_has_it_undone_at_once(fake):
    done = []

    def free(_path):
        return 3.0 if len(journal_of_folder(fake)) == 2 else 1e6

    fault = StubFault(does={"undo": lambda: done.append("undone")}, hold_s=50.0)
    cell = only_cell(fake, fault, machine=replace(PLENTY, free_disk_mib=free))
    assert done == ["undone"]
    assert (cell.judgement.verdict, cell.judgement.reason) == (
        Verdict.VOID,
        "stopped: only 3 MiB of disk are free, 2048 are to stay",
    )
    assert cell.wall_s < 40


def journal_of_folder(fake):
    found = list((fake.root / "results/breaking").glob("*/journal.jsonl"))
    return found[0].read_text().splitlines() if found else []


def test_a_lost_write_fails_the_cell(fake):
    fake.stored = lambda keys: keys[:-3]
    cell = only_cell(fake, StubFault())
    assert (cell.judgement.verdict, cell.judgement.toll.lost) == (Verdict.FAIL, 3)


def test_a_lost_write_fails_a_cell_that_went_wrong_otherwise_and_both_are_said(fake):
    fake.stored = lambda keys: keys[:-3]
    cell = only_cell(fake, StubFault(does={"undo": is_not_undone}))
    assert cell.judgement.verdict is Verdict.FAIL
    assert cell.judgement.reason == (
        "3 acknowledged writes are lost; rollback-not-confirmed: it is still broken"
    )


def test_why_a_database_could_not_be_read_is_kept(fake):
    def gone(*_arguments, **_options):
        raise docker.errors.APIError("gone")

    fake.stored = fake.client.containers.run = gone
    cell = only_cell(fake, StubFault())
    assert cell.judgement.verdict is Verdict.VOID
    assert cell.judgement.reason.startswith("the database could not be read: ")


def test_an_outage_is_counted(fake):
    fake.is_down = lambda after_s: 5.5 < after_s < 6.5
    cell = only_cell(fake, StubFault(rule=Rule(longest_gap_s=0.5)))
    assert cell.judgement.verdict is Verdict.FAIL
    assert cell.judgement.toll.longest_gap_s == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (StubFault(does={"inject": has_no_effect}), "fault-not-effective: it runs as before"),
        (StubFault(does={"undo": is_not_undone}), "rollback-not-confirmed: it is still broken"),
        (StubFault(left="a process is frozen"), "rollback-not-confirmed: a process is frozen"),
        (StubFault(does={"inject": breaks_off}), "a container is gone"),
        (
            StubFault(does={"inject": partial(refuse, 409)}),
            "a container has ended or is gone: the container is not running; see its last lines for why",
        ),
    ],
)
def test_a_fault_that_is_not_confirmed_makes_its_cell_void_and_the_others_are_tried(fake, fault, reason):
    start(fake, fault, StubFault(id="F-01"), targets=("gunicorn",))
    found = {cell.planned.fault: cell.judgement for cell in saved(fake).cells}
    assert (found["F-00"].verdict, found["F-00"].reason) == (Verdict.VOID, reason)
    assert found["F-01"].verdict is Verdict.PASS
    assert [step for cell, step in journal(fake) if "F-00" in cell][-1] is Happening.REMOVED


def test_a_bound_on_what_the_fault_measures_is_kept(fake):
    cell = only_cell(fake, StubFault(rule=Rule(measured_at_most={"exit_code": -1})))
    assert (cell.judgement.verdict, cell.judgement.reason) == (
        Verdict.FAIL,
        "exit_code 0, at most -1 is asked",
    )


def test_a_stack_that_is_not_what_it_should_be_is_not_broken(fake):
    fake.trouble["up 1"] = lambda: fake.app.identity.update(debug=True)
    cell = only_cell(fake, StubFault())
    assert cell.judgement.verdict is Verdict.VOID
    assert "is not what it should be" in cell.judgement.reason
    assert journal(fake) == []


def test_what_has_no_meaning_on_a_target_is_said_and_not_tried(fake):
    start(fake, StubFault(refuses="it has no workers"))
    run = saved(fake)
    assert run.plan.skipped == {"F-00 runserver:threaded": "it has no workers"}
    assert [cell.planned.target for cell in run.cells] == ["gunicorn:gthread"]


def test_where_no_fault_has_a_meaning_nothing_is_begun(fake):
    with pytest.raises(UsageError, match="no fault has a meaning"):
        start(fake, StubFault(refuses="no"), targets=("runserver",))
    assert not (fake.root / "results").exists()


@pytest.mark.parametrize("moment", ["up 2", "probing 2"])
def test_an_interrupted_run_keeps_what_is_done_and_is_gone_on_with(fake, moment):
    fake.trouble[moment] = interrupt
    with pytest.raises(Interrupted, match="1 cell of this call saved"):
        start(fake, StubFault(), repetitions=2)
    first, broken_off = saved(fake).cells
    assert (broken_off.judgement.verdict, broken_off.judgement.reason) == (Verdict.VOID, "interrupted")
    assert fake.client.is_empty
    fake.trouble.clear()
    resume(fake, StubFault())
    run = saved(fake)
    assert run.cells[0] == first
    assert [cell.planned for cell in run.cells] == list(run.plan.cells)
    assert {cell.judgement.verdict for cell in run.cells} == {Verdict.PASS}
    assert run.problems == ()


def test_ctrl_c_while_a_fault_is_on_undoes_it_and_ends_its_journal(fake):
    seen = []
    clock = fake.time

    def pause(seconds, jump=clock.pause):
        if len(journal(fake)) == 2:  # injected, and held
            raise KeyboardInterrupt
        jump(seconds)

    clock.pause = pause
    with pytest.raises(Interrupted):
        start(fake, StubFault(does={"undo": lambda: seen.append("undone")}), targets=("gunicorn",))
    assert seen == ["undone"]
    assert [step for _, step in journal(fake)] == STEPS
    (cell,) = saved(fake).cells
    assert (cell.interrupted, [event.what for event in cell.events]) == (
        True,
        [Happening.BEGAN, Happening.JOURNALLED, Happening.INJECTED],
    )
    assert fake.client.is_empty


def stop_answering(fake):
    def gone(**_options):
        raise docker.errors.APIError("500 Server Error")

    fake.client.containers.list = gone


def test_ctrl_c_stays_ctrl_c_where_nothing_can_be_removed_and_its_journal_is_left_open(fake):
    def break_off():
        stop_answering(fake)
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="0 cells of this call saved"):
        start(fake, StubFault(does={"inject": break_off}), targets=("gunicorn",))
    assert fake.said[-1] == (
        "not all that is ours could be removed, the next start tries again: 500 Server Error"
    )
    assert [step for _, step in journal(fake)] == [Happening.JOURNALLED]
    (cell,) = saved(fake).cells
    assert cell.interrupted


def test_an_engine_that_removes_nothing_after_a_cell_ends_the_run_and_says_how_to_go_on(fake):
    with pytest.raises(EnvironmentLacks, match="no longer answers as it should: 500") as ended:
        start(fake, StubFault(does={"undo": lambda: stop_answering(fake)}))
    assert ended.value.hint == (
        f"0 cells saved. When it runs again: serverlab faults --resume {saved(fake).name}"
    )


def test_a_run_of_other_files_is_not_gone_on_with(fake):
    start(fake, StubFault())
    (fake.root / "deploy/gunicorn/extra").write_text("changed")
    with pytest.raises(UsageError, match="server/gunicorn changed since it began"):
        resume(fake, StubFault())


@pytest.mark.parametrize(
    ("machine", "stop", "said"),
    [
        (Machine(lambda _: 100, lambda: 1e6), {}, "only 100 MiB of disk are free, 2048 are to stay"),
        (Machine(lambda _: 1e6, lambda: 100), {}, "only 100 MiB of memory are available, 512 are to stay"),
        (PLENTY, {"budget_s": 10}, "10 s were given, and the next cell would exceed them"),
    ],
)
def test_a_stop_condition_ends_the_run_before_the_next_cell(fake, machine, stop, said):
    broken = start(fake, StubFault(), machine=machine, stop=StopConditions(**stop))
    assert broken.stopped == f"{said}; 2 cells still to be tried"
    assert saved(fake).cells == ()
    assert fake.stacks == 0


def test_time_that_is_given_is_for_all_cells(fake):
    broken = start(fake, StubFault(), stop=StopConditions(budget_s=30))
    assert len(saved(fake).cells) == 1
    assert broken.stopped.endswith("1 cell still to be tried")


def test_a_line_that_was_cut_short_is_told_and_its_cell_is_tried_again(fake):
    start(fake, StubFault())
    cells = folder(fake) / "cells.jsonl"
    whole = cells.read_bytes()
    cells.write_bytes(whole[:-40])
    run = saved(fake)
    assert len(run.cells) == 1
    assert "cut short or damaged" in run.problems[0].message
    resume(fake, StubFault())
    assert [cell.planned.id for cell in saved(fake).cells] == [each.id for each in run.plan.cells]


def test_a_fault_that_a_killed_lab_left_on_is_written_off_by_the_next_start(fake):
    start(fake, StubFault(), targets=("gunicorn",))
    path = folder(fake)
    lines = (path / "journal.jsonl").read_text().splitlines(keepends=True)
    (path / "journal.jsonl").write_text("".join(lines[:-1]) + lines[-1][:30])
    fake.client.add("app", run="breaking-killed")
    resume(fake, StubFault())
    last = json.loads((path / "journal.jsonl").read_text().splitlines()[-1])
    assert (last["what"], last["detail"]) == ("removed", "by the lab's next start")
    told = [line for line in fake.said if "was left on" in line]
    assert told == ["F-00 was left on gunicorn:gthread by a lab that was killed; it is gone with its stack"]
    assert list(store.left_on(fake.root / "results")) == []


@pytest.mark.parametrize(("own_s", "held_s"), [(0.0, 10.0), (5.0, 5.0), (20.0, 20.0)])
def test_a_fault_is_held_for_as_long_as_its_rule_was_written_for(own_s, held_s):
    experiment = Timeline(settle_s=1, baseline_s=30, hold_s=10, observe_s=60)
    facts = facts_of(StubFault(hold_s=own_s), experiment)
    assert facts.timeline == msgspec.structs.replace(experiment, hold_s=held_s)


def test_every_fault_with_a_bound_on_a_gap_says_for_how_long_it_is_held():
    bounded = [fault for fault in FAULTS.values() if fault.rule.longest_gap_s is not None]
    assert [fault.id for fault in bounded if not fault.hold_s] == []


def test_a_target_has_as_many_replicas_as_the_experiment_says(fake):
    start(fake, StubFault(), replicas={"gunicorn": 2})
    given = {
        each["LAB_SERVER"]: each["LAB_REPLICAS"] for each in fake.shell.environments if "LAB_REPLICAS" in each
    }
    assert given == {"gunicorn": "2", "runserver": "1"}
