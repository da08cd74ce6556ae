"""`serverlab faults`: what is broken is saved, judged and told."""

from __future__ import annotations

import json
import signal

import pytest

from serverlab import store
from serverlab.errors import Exit
from serverlab.faults import FAULTS
from serverlab.model.faults import Happening, Rule, Verdict
from serverlab.runner.breaking import Machine
from serverlab.runner.cell import Clock
from tests.checkout import write
from tests.fake_breaking import BREAKING, PLENTY, BreakableLab, StubFault, has_no_effect
from tests.functional.conftest import SIGNALS

TOLD = """\
verdict  fault  target              lost  failed  longest gap  recovery  why
pass     F-00   gunicorn:gthread    0     0       {gap:11}  0
n/a      F-00   runserver:threaded  –     –       –            –         it has one process
1 cell: 1 pass
"""

PLANNED = """\
What do they lose?
  1  F-00    gunicorn:gthread
n/a  F-00 runserver:threaded: it has one process
1 cell, about 0 minutes
"""


@pytest.fixture
def kind():
    return BreakableLab


@pytest.fixture
def context(context, fake):
    context.clock, context.machine = fake.time.clock, PLENTY
    return context


@pytest.fixture
def put(monkeypatch):
    """Puts a stub in the place of F-00."""

    def put(**changes):
        monkeypatch.setitem(FAULTS, "F-00", StubFault(**changes))

    put()
    return put


def saved(fake):
    (path,) = fake.root.glob("results/breaking/*")
    return store.read_fault_run(path)


def test_a_stack_that_passes_ends_well_and_what_has_no_meaning_is_na(cli, fake, put):
    put(refuses="it has one process")
    outcome = cli("faults", "--experiment", "breaking")
    gap = outcome.out.splitlines()[1].split()[5]
    assert (outcome.code, outcome.out) == (Exit.OK, TOLD.format(gap=gap))
    assert 0 < float(gap) < 0.5
    assert fake.client.is_empty


def test_a_stack_that_fails_is_exit_code_1(cli, fake, put):
    fake.is_down = lambda after_s: after_s > 5
    put(rule=Rule(longest_gap_s=3.0))
    outcome = cli("faults", "--experiment", "breaking", "--targets", "gunicorn")
    assert outcome.code == Exit.VERDICT_FAILED
    assert outcome.out.splitlines()[1].startswith("fail     F-00   gunicorn:gthread  0     4")


def test_nothing_but_void_cells_are_not_enough_evidence(cli, put):
    put(does={"inject": has_no_effect})
    outcome = cli("faults", "--experiment", "breaking", "--targets", "gunicorn")
    assert outcome.code == Exit.NOT_ENOUGH_EVIDENCE
    assert outcome.out.splitlines()[1].endswith("fault-not-effective: it runs as before")


def test_faults_targets_and_repetitions_can_be_chosen(cli, fake, put):
    cli(
        "faults", "--experiment", "breaking", "--only", "F-00", "--targets", "runserver", "--repetitions", "2"
    )
    assert [cell.planned.id for cell in saved(fake).cells] == [
        "r01-F-00-runserver.threaded",
        "r02-F-00-runserver.threaded",
    ]


def test_a_dry_run_breaks_nothing(cli, fake, put):
    put(refuses="it has one process")
    outcome = cli("faults", "--experiment", "breaking", "--dry-run")
    assert (outcome.code, outcome.out) == (
        Exit.OK,
        PLANNED,
    )
    assert not (fake.root / "results").exists()


def test_a_machine_reads_json(cli, fake, put):
    document = json.loads(cli("faults", "--experiment", "breaking", "--json").out)
    assert document["run"] == saved(fake).name
    assert sorted(cell["planned"]["target"] for cell in document["cells"]) == [
        "gunicorn:gthread",
        "runserver:threaded",
    ]


MOMENTS = {"up 1": 0, "probing 1": 0, "up 2": 1, "probing 2": 1}
"""Phases of a run, and how many cells are whole by then."""


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_told_to_end_leaves_nothing_and_can_be_gone_on_with(cli, fake, put, moment, number):
    fake.trouble[moment] = lambda: signal.raise_signal(number)
    stopped = cli("faults", "--experiment", "breaking")
    assert (stopped.code, stopped.out, fake.client.is_empty) == (Exit.INTERRUPTED, "", True)
    name, cells = saved(fake).name, saved(fake).cells
    assert [cell.interrupted for cell in cells] == [False] * MOMENTS[moment] + [True]
    assert f"Go on with: serverlab faults --resume {name}" in stopped.err
    left = cli("faults", "--resume", name, "--dry-run")
    assert left.out.splitlines()[-1].startswith("1 cell, " if MOMENTS[moment] else "2 cells, ")
    fake.trouble.clear()
    assert cli("faults", "--resume", name).code == Exit.OK
    assert [cell.judgement.verdict for cell in saved(fake).cells] == [Verdict.PASS] * 2


def journal(fake):
    """What the journal says was done, in its order."""
    lines = (fake.root / "results/breaking" / saved(fake).name.split("/")[1] / "journal.jsonl").read_text()
    return [Happening(json.loads(line)["what"]) for line in lines.splitlines()]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    ("steps", "done"),
    [
        (["inject"], ["inject"]),
        (["hold"], ["inject", "hold", "undo"]),
        (["undo"], ["inject", "hold", "hold", "undo"]),
        (["hold", "undo"], ["inject", "hold", "undo"]),
    ],
    ids=["while it is injected", "while it is on", "while it is undone", "twice"],
)
def test_a_fault_that_is_on_when_the_run_is_told_to_end_is_undone_and_its_journal_is_ended(
    cli, fake, context, put, *, steps, done, number
):
    seen, trouble = [], set(steps)

    def comes_to(step):
        seen.append(step)
        if step in trouble:
            signal.raise_signal(number)

    def pause(seconds):
        if journal(fake)[-1:] == [Happening.INJECTED]:
            comes_to("hold")
        fake.time.pause(seconds)

    context.clock = Clock(now=fake.time.now, pause=pause)
    put(does={step: lambda step=step: comes_to(step) for step in ("inject", "undo")})
    stopped = cli("faults", "--experiment", "breaking", "--targets", "gunicorn")
    assert (stopped.code, stopped.out, fake.client.is_empty) == (Exit.INTERRUPTED, "", True)
    assert seen == done
    injected = [] if steps == ["inject"] else [Happening.INJECTED]
    assert journal(fake) == [Happening.JOURNALLED, *injected, Happening.REMOVED]
    assert list(store.left_on(fake.root / "results")) == []
    trouble.clear()
    assert cli("faults", "--resume", saved(fake).name).code == Exit.OK


def test_a_stop_condition_ends_the_run_with_what_was_found(cli, fake, context, put):
    context.machine = Machine(free_disk_mib=lambda _path: 100, available_memory_mib=lambda: 1e6)
    outcome = cli("faults", "--experiment", "breaking")
    assert outcome.code == Exit.INTERRUPTED
    assert "only 100 MiB of disk are free" in outcome.err
    assert outcome.out.endswith("0 cells: none\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "G-1"], "no fault 'G-1'"),
        (["--targets", "gunicrn"], "unknown server 'gunicrn'"),
        (["--experiment", "quick"], "faults: missing"),
        (["--experiment", "braking"], "no such file, did you mean 'breaking'?"),
        (["--repetitions", "0"], "repetitions"),
        (["--resume", "breaking/x", "--only", "F-00"], "--only cannot be changed in a run that is resumed"),
        (
            ["--resume", "breaking/x", "--experiment", "breaking"],
            "--experiment cannot be changed in a run that is resumed",
        ),
        (["--resume", "breaking/x"], "no run there"),
    ],
)
def test_wrong_words_are_wrong_usage(cli, put, words, said):
    options = (
        words if "--experiment" in words or "--resume" in words else ["--experiment", "breaking", *words]
    )
    outcome = cli("faults", *options)
    assert outcome.code == Exit.USAGE
    assert said in outcome.err


def test_all_mistakes_in_an_experiment_are_told_by_check(cli, fake):
    wrong = (
        BREAKING.replace("observe_s = 12", "observe_s = 10")
        .replace('["F-00"]', '["F-00", "G-1"]')
        .replace('"runserver"', '"gunicorn:gthread"')
    )
    write(fake.root, "experiments/breaking.toml", wrong + "\n[probing]\nreads_per_s = 0\n")
    outcome = cli("check")
    assert outcome.code == Exit.USAGE
    for mistake in (
        "targets: the same target is named twice",
        "faults[1]: no fault 'G-1'",
        "timeline.observe_s: recovery is 10 seconds of being well; observe for longer",
        "probing.reads_per_s: has to be above 0",
    ):
        assert f"experiments/breaking.toml: {mistake}" in outcome.err


def test_an_experiment_that_breaks_things_is_listed_and_is_not_measured(cli, fake):
    assert "breaking  What do they lose?" in cli("list", "experiments").out
    assert "F-01" in cli("list", "faults").out
    outcome = cli("run", "experiments/breaking.toml".join([f"{fake.root}/", ""]))
    assert outcome.code == Exit.USAGE
    assert "it breaks things and measures no speed\n`serverlab faults --experiment breaking`" in outcome.err
