"""A cross-check over a lab without containers: who measures what, when, and what is kept of it."""

import json
from collections import Counter
from functools import partial

import pytest

from serverlab.errors import Interrupted, UsageError
from serverlab.model.crosscheck import Pace, Tool
from serverlab.runner.crosscheck import PACES, in_order, resume_crosscheck, shuffled, start_crosscheck
from serverlab.store.crosschecks import read_crosscheck
from tests.fake_engine import ExecResult, refuse
from tests.fake_lab import interrupt
from tests.fake_witness import WitnessLab, captured
from tests.unit.builders import GTHREAD, RUNSERVER, a_workload, an_environment
from tests.unit.crosschecks import a_cross_plan

EACH = sum(map(len, PACES.values()))


@pytest.fixture
def lab(fake):
    return WitnessLab(fake)


@pytest.fixture
def plan(lab):
    catalog = lab.lab.catalog
    targets = [catalog.target(name) for name in (GTHREAD, RUNSERVER)]
    return a_cross_plan(
        targets=tuple(map(str, targets)),
        workload=a_workload(warmup_s=1.0, duration_s=1.0),
        rounds=2,
        hashes=catalog.hashes(targets=targets, workloads=["profile"]),
    )


def describe(name, splits):
    return an_environment(run=name, core_splits=dict(splits))


def check(lab, plan):
    return read_crosscheck(start_crosscheck(lab.lab, plan, cores=(0, 1), describe=describe))


def folder(lab):
    (path,) = (lab.root / "results/crosscheck").iterdir()
    return path


def told(made):
    return {(each.tool, each.pace): each for each in made.measurements}


def test_every_tool_measures_every_target_in_every_round_on_a_stack_of_its_own(lab, plan):
    made = check(lab, plan)
    cells = Counter((each.round, each.target) for each in made.measurements)
    assert cells == dict.fromkeys([(1, GTHREAD), (1, RUNSERVER), (2, GTHREAD), (2, RUNSERVER)], EACH)
    assert {each.void for each in made.measurements} == {()}
    assert (lab.stacks, lab.client.containers.things) == (4, [])


def test_half_is_half_of_what_the_lab_s_generator_got_on_the_same_stack(lab, plan):
    first = check(lab, plan).measurements[:EACH]
    (ours,) = [each for each in first if (each.tool, each.pace) == (Tool.OURS, Pace.SATURATED)]
    rates = {each.rate for each in first if each.pace is Pace.HALF}
    assert rates == {float(f"{ours.reading.rps / 2:.4g}")}
    assert {each.rate for each in first if each.pace is Pace.SATURATED} == {None}
    steps = [json.loads(given["LAB_LOAD_STEPS"]) for given in lab.told[:4]]
    assert [each[0][0] for each in steps if each] == [*rates, *rates]


def test_all_tools_ask_with_the_one_token_of_their_stack(lab, plan):
    check(lab, plan)
    calls = Counter((stack, tool) for stack, tool, _ in lab.tokens)
    each_time = {"serverlab": 4, "wrk": 2, "h2load": 2}
    assert calls == {(stack, tool): times for stack in range(1, 5) for tool, times in each_time.items()}
    of_stack = dict.fromkeys((stack, token) for stack, _, token in lab.tokens)
    assert [stack for stack, _ in of_stack] == [1, 2, 3, 4]
    assert all(token.count(".") == 2 for _, token in of_stack)


def test_the_log_of_an_earlier_call_is_removed_before_each_call_of_h2load(lab, plan):
    check(lab, plan)
    called = [words.split()[0] if words.startswith(("rm", "cat")) else words for words in lab.asked]
    h2load = [index for index, words in enumerate(called) if " h2load " in words]
    assert h2load
    assert {(called[index - 1], called[index + 1]) for index in h2load} == {("rm", "cat")}


def test_targets_and_tools_are_shuffled_by_the_seed_and_the_round():
    plan = a_cross_plan(targets=tuple("abcdef"), rounds=3)
    orders = {tuple(target for number, target in in_order(plan) if number == each) for each in (1, 2, 3)}
    assert len(orders) == 3
    assert {frozenset(order) for order in orders} == {frozenset("abcdef")}
    tools = {tuple(shuffled(plan, Pace.SATURATED, number=each, target="a")) for each in range(1, 9)}
    assert len(tools) > 1
    assert list(in_order(plan)) == list(in_order(plan))


def test_a_witness_that_ends_with_an_error_is_void_and_no_other_is(lab, plan):
    lab.says["wrk"] = lambda: ExecResult(exit_code=1, output=b"unable to connect\n")
    made = told(check(lab, plan))
    assert made[Tool.WRK, Pace.SATURATED].void == ("wrk ended with 1\n  | unable to connect",)
    assert made[Tool.H2LOAD, Pace.SATURATED].void == ()


def test_a_witness_of_whose_requests_more_than_a_thousandth_failed_is_void(lab, plan):
    few, many = (
        captured("wrk.txt").output.replace(b'"status": 0', b'"status": %d' % count) for count in (1, 2)
    )
    said = iter([few, few, few, many])
    lab.says["wrk"] = lambda: ExecResult(exit_code=0, output=next(said, few))
    made = [each for each in check(lab, plan).measurements if each.tool is Tool.WRK]
    assert [each.void for each in made[:2]] == [
        (),
        ("0.12% of its requests failed, more than 0.1%",),
    ]


def test_the_token_that_all_ask_with_outlives_the_measurements(lab, plan):
    check(lab, plan)
    stacks = [given for given in lab.shell.environments if "LAB_ACCESS_LIFETIME_S" in given]
    assert {given["LAB_ACCESS_LIFETIME_S"] for given in stacks} == {"3600"}


def test_without_a_number_of_the_lab_s_generator_there_is_no_half(lab, plan):
    lab.rps = 0
    made = told(check(lab, plan))
    assert made[Tool.OURS, Pace.SATURATED].void == ("no request succeeded",)
    assert made[Tool.H2LOAD, Pace.HALF].void == (
        "the lab's generator had no valid number at saturation, so there is no half of it",
    )


def test_on_a_stack_that_is_not_what_it_should_be_everything_is_void(lab, plan):
    lab.trouble["up 1"] = lambda: setattr(lab.app, "server_header", "other")
    made = check(lab, plan)
    first = made.measurements[:EACH]
    assert {each.void[0].split(":")[0] for each in first} == {"proof before the measurement failed"}
    assert {each.reading for each in first} == {None}
    assert {each.void for each in made.measurements[EACH:]} == {()}


def test_what_becomes_another_server_meanwhile_makes_everything_void_and_is_kept(lab, plan):
    lab.trouble["window 1"] = lambda: setattr(lab.app, "server_header", "other")
    first = check(lab, plan).measurements[:EACH]
    assert {each.void[0].split(":")[0] for each in first} == {"proof after the measurement failed"}
    assert None not in {each.reading for each in first}


def test_one_that_was_stopped_goes_on_where_it_was(lab, plan):
    lab.trouble["up 3"] = interrupt
    with pytest.raises(Interrupted, match="14 trials of this run are saved"):
        check(lab, plan)
    assert lab.client.containers.things == []
    lab.trouble.clear()
    path = resume_crosscheck(lab.lab, folder(lab), describe=describe)
    assert Counter(each.round for each in read_crosscheck(path).measurements) == {1: 2 * EACH, 2: 2 * EACH}


def test_one_that_is_stopped_again_counts_what_was_saved_before(lab, plan):
    lab.trouble["up 3"] = interrupt
    with pytest.raises(Interrupted):
        check(lab, plan)
    lab.trouble = {"up 5": interrupt}
    with pytest.raises(Interrupted, match="21 trials of this run are saved"):
        resume_crosscheck(lab.lab, folder(lab), describe=describe)


def test_a_generator_that_was_not_sampled_makes_its_measurements_void(lab, plan):
    plain = lab.client.stats_of
    lab.client.stats_of = lambda each: {} if "load" in each.name else plain(each)
    made = told(check(lab, plan))[Tool.OURS, Pace.SATURATED]
    assert made.void == ("not sampled: load; see which figures the engine gives (`serverlab doctor`)",)
    assert made.cpu_share is None


def test_a_witness_that_has_ended_spoils_its_own_measurements_alone(lab, plan):
    lab.says["wrk"] = partial(refuse, 409)
    made = told(check(lab, plan))
    assert made[Tool.WRK, Pace.SATURATED].void == (
        "a container has ended or is gone: the container is not running; see its last lines for why",
    )
    assert made[Tool.OURS, Pace.SATURATED].void == ()


def test_one_whose_files_have_changed_is_not_gone_on_with(lab, plan):
    path = start_crosscheck(lab.lab, plan, cores=(0, 1), describe=describe)
    (lab.root / "loadtests/profile/locustfile.py").write_text("changed = True\n")
    with pytest.raises(UsageError, match="the files of workload/profile changed"):
        resume_crosscheck(lab.lab, path, describe=describe)
