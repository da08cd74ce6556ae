"""Every reason why a trial is VOID ends with what to do next."""

import ast
import json
import re
from functools import partial
from itertools import chain, repeat
from threading import Event, current_thread, main_thread

import msgspec
import pytest

from serverlab.cli.context import CHECKOUT
from serverlab.compose import StackDied
from serverlab.errors import TrialFailed
from serverlab.model.definitions import Arrival
from serverlab.model.records import Check, State
from serverlab.runner import gates
from tests.fake_engine import ExecResult, plain_stats, refuse
from tests.fake_lab import a_result
from tests.unit.builders import a_latency, a_load, a_proof, a_usage, a_workload

VERBS = re.compile(
    "(build|end|give|have|keep|let|lift|look|lower|make|mend|raise|report|see|start|take|turn) "
)
FAILS = ExecResult(exit_code=1, output=b"no such file")


def is_told(reason):
    """Whether its first line ends with what to do, which a log may follow: a verb that asks, or a command."""
    action = reason.partition("\n")[0].partition("; ")[2]
    return VERBS.match(action) is not None or action.endswith("`")


def at(moment, does, **keywords):
    """What happens to the app's container at a moment of the fake lab, and what the trial is made with."""

    def plan(fake):
        fake.trouble[moment] = lambda: does(fake.app_container)
        return keywords

    return plan


def to_the_app(moment, **changes):
    """What else the tiny web server answers from a moment on."""

    def change(fake):
        for name, value in changes.items():
            setattr(fake.app, name, value)

    def plan(fake):
        fake.trouble[moment] = partial(change, fake)
        return {}

    return plan


def given(**keywords):
    return lambda _fake: keywords


def ends(app, code=2):
    app.status, app.exit_code, app.logged = "exited", code, ["bye"]


def ends_before_it_is_ready(fake):
    fake.app.statuses["/readyz"] = 503
    return at("up 1", ends)(fake)


def ends_between_two_questions(app):
    app.exec_run = lambda _argv, **_options: refuse(409)


def breaks(*events):
    """A generator that says this and ends."""

    def plan(fake):
        add = fake.client.add
        lines = [json.dumps(event).encode() + b"\n" for event in events]
        broken = {"output": lambda: lines, "status": "exited", "exit_code": 1, "logged": ["ImportError"]}
        fake.client.add = lambda service, **changes: add(
            service, **changes | (broken if service == "load" else {})
        )
        return {}

    return plan


def says(**changes):
    """A generator whose result is another one."""

    def plan(fake):
        fake.result = lambda _given, start, end: a_result(start, end, ok=100) | changes
        return {}

    return plan


def sampling_breaks(fake):
    broken = Event()

    def stats(container):
        if current_thread() is main_thread():
            return plain_stats(container)
        broken.set()
        raise KeyError("cpu_stats")

    def begin(_app):
        fake.client.stats_of = stats
        assert broken.wait(5.0)

    return at("window 1", begin)(fake)


def clock_is_set(_fake):
    leads = chain([5.0, 6.0], repeat(5.0))
    return {"lead_s": lambda: next(leads)}


ASLEEP, LOADED = {"event": "asleep"}, {"event": "loaded"}
NOT_READY = {"event": "broken", "reason": "29 of 32 users ready in 20 s"}
OTHERS = {"gunicorn": "27.0.1", "django": "5.2.20"}
UNBUILT = {
    "gunicorn": "The image gunicorn (Dockerfile) could not be built: failed with exit code 1\n  | boom"
}

WAYS = {
    "its image could not be built": given(unbuilt=UNBUILT),
    "it ends before it is ready": ends_before_it_is_ready,
    "it publishes no port": at("up 1", lambda app: setattr(app, "ports", {})),
    "it shows no processes": at("up 1", partial(ends, code=0)),
    "its users cannot be seeded again": at(
        "up 1", lambda app: setattr(app, "executes", FAILS), app={"LAB_CHEAP_HASHER": "off"}
    ),
    "rows are left over": at("up 1", lambda app: setattr(app, "rows", "write 1 0123456789abcdef")),
    "its rows cannot be counted": at(
        "up 1", lambda app: setattr(app, "exec_run", lambda _argv, **_options: FAILS)
    ),
    "its cores cannot be timed": at("up 1", lambda app: setattr(app, "executes", FAILS)),
    "it ends between two questions": at("up 1", ends_between_two_questions),
    "the generator never sleeps": breaks(),
    "the generator never loads": breaks(ASLEEP),
    "the generator gives up": breaks(ASLEEP, LOADED, NOT_READY),
    "the generator has no result": breaks(ASLEEP, LOADED),
    "the generator is another one": says(format=1),
    "the sampler dies": sampling_breaks,
    "nothing was sampled before the window": says(window_start=0.0),
    "it dies under load": at("measured 1", ends),
    "it runs out of memory": at("window 1", lambda app: app.state.update(OOMKilled=True)),
    "it is started again": at("window 1", lambda app: setattr(app, "started_at", "2030-01-01T00:00:00.5Z")),
    "its processes are others": at("window 1", lambda app: setattr(app, "id", f"{10**6:064x}")),
    "the clock is set": clock_is_set,
    "it has other packages than before": given(packages=OTHERS),
    "its packages change": to_the_app("measured 1", identity={"distributions": OTHERS}),
    "another server answers": to_the_app("up 1", server_header="daphne"),
    "it is not healthy": to_the_app("up 1", statuses={"/healthz": 500}),
    "it loses rows": to_the_app("measured 1", books=3),
    "it takes any token": to_the_app("measured 1", takes_any_token=True),
    "it answers no more": at("measured 1", lambda app: setattr(app, "ports", {8000: 1})),
    "nothing adds up": says(requests_ended=7),
}


@pytest.mark.parametrize("plan", WAYS.values(), ids=WAYS)
def test_a_trial_that_is_void_says_what_to_do(make, fake, plan):
    made = make(**plan(fake)).trial
    assert made.state is State.VOID
    assert made.void_reasons
    assert [reason for reason in made.void_reasons if not is_told(reason)] == []


def held_back(usage):
    return usage | {"load": msgspec.structs.replace(usage["load"], throttled_s=0.25)}


def late(**changes):
    lag, arrivals = a_latency(1000), {"scheduled": 1000, "sent": 1000, "queued": 0, "unsent": 0, "lost": 0}
    plain = {"latency": a_latency(1000), "arrival": "open", "rate": 100.0, "lag": lag, "loop_lag": lag}
    return gates.of_arrivals(a_load(100.0, **plain | arrivals | changes), a_workload(arrival=Arrival.OPEN))


BUSY = {"app": a_usage(1.0), "load": a_usage(0.3)}
SLOW = msgspec.structs.replace(a_latency(1000), p50_us=10_000_000, p99_us=10_000_000)
DEBUG = msgspec.structs.replace(a_proof(), checks=(Check(name="identity: debug", ok=False, detail="True"),))

FOUND = {
    "DEBUG is on": gates.of_proofs(DEBUG, DEBUG),
    "nothing succeeded": gates.of_load(a_load(0.0), BUSY, cpus=1),
    "not sampled": gates.of_load(a_load(400.0), {}, cpus=1),
    "too few samples": gates.of_load(
        a_load(400.0), BUSY | {"app": msgspec.structs.replace(BUSY["app"], samples=1)}, cpus=1
    ),
    "held back": gates.of_load(a_load(400.0), held_back(BUSY), cpus=1),
    "the generator's core is full": gates.of_load(a_load(400.0), BUSY | {"load": a_usage(0.9)}, cpus=1),
    "the stack waits": gates.of_load(a_load(400.0), {"app": a_usage(0.1), "load": a_usage(0.7)}, cpus=1),
    "failures are missing": gates.of_counts(
        a_load(400.0, failures=[], latency_failed=a_latency(12)), arrival=Arrival.CLOSED
    ),
    "late": late(lag=SLOW),
    "late ticks": late(loop_lag=SLOW),
    "off schedule": late(scheduled=900, sent=900),
    "lost": late(lost=3),
    "no request each": late(sent=960),
}


@pytest.mark.parametrize("reasons", FOUND.values(), ids=FOUND)
def test_a_gate_says_what_to_do(reasons):
    found = list(reasons)
    assert found
    assert [reason for reason in found if not is_told(reason)] == []


ON_THE_WAY = [
    *("calibration", "compose", "held", "load", "probe", "sampler", "seeding"),
    *("runner/deaths", "runner/ending", "runner/trial"),
]
"""The modules through which a trial goes."""


@pytest.mark.parametrize("module", ON_THE_WAY)
def test_what_breaks_a_trial_off_is_raised_with_a_hint(module):
    source = (CHECKOUT / "src" / "serverlab" / f"{module}.py").read_text(encoding="utf-8")
    calls = [each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.Call)]
    named = [each for each in calls if getattr(each.func, "id", "") in ("TrialFailed", "GeneratorBroke")]
    assert [ast.unparse(each) for each in named if len(each.args) < 2] == []


def test_a_hint_ends_the_first_line_and_a_log_stays_below_it():
    assert TrialFailed("it broke\n  | a line\n  | another", "Build it again.").reason == (
        "it broke; build it again\n  | a line\n  | another"
    )
    assert TrialFailed("it broke").reason == "it broke"
    assert StackDied("it died").reason == "it died; see its last lines for why"
