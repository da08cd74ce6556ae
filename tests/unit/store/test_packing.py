"""A line of trials.jsonl is packed without loss, and lines of both formats are read."""

from __future__ import annotations

import json

import msgspec
import pytest

from serverlab import store
from serverlab.cli.context import CHECKOUT
from serverlab.model.records import Latency, LoadResult, PlannedTrial, Proof, Second, Trial
from serverlab.model.usage import NetworkCounts, ProcessUse
from serverlab.store.folding import folded, unfolded
from serverlab.store.packing import _defaults, _rows, _table, packed, unpacked
from tests.unit.builders import a_load, a_plan, a_proof, a_trial, a_usage, a_void_trial, an_environment

RUNS = sorted(CHECKOUT.glob("results/reference/*/*/plan.json"))
NEWEST_QUICK = max(CHECKOUT.glob("results/reference/quick/*"))
LARGEST_MEAN_BYTES = 3700

NONE = Latency(count=0, p50_us=None, p95_us=None, p99_us=None, max_us=None, mean_us=None)
SECONDS = tuple(
    Second(ended=ended, ok=ok, failed=ended - ok, count=ended, p50_us=p50, p99_us=None)
    for ended, ok, p50 in ((400, 400, 2000), (0, 0, None), (390, 388, 2100))
)
PROCESSES = tuple(
    ProcessUse(container=container, pid=pid, name=name, user_s=0.5, system_s=0.0, memory_pss_bytes=pss)
    for container, pid, name, pss in (
        ("a1", 7, "gunicorn", 9),
        ("a1", 8, "gunicorn", None),
        ("b2", 9, "nginx", 3),
    )
)
SAID = Proof(
    checks=(),
    workers=2,
    server_version=None,
    identity={"parent": "x", "process": "x", "debug": "False", "autoreload": "False", "none": ""},
    processes=(7, 8),
    passed={
        "identity: debug": "False",
        "identity: autoreload": "False",
        "/healthz": "200",
        "identity: none": "",
    },
)
OTHERWISE = msgspec.structs.replace(
    SAID, passed={"identity: debug": "True", "identity": "x", "identity: no": "x"}
)
BUSY = a_load(
    400.0,
    latency_failed=NONE,
    lag=NONE,
    per_second=SECONDS,
    by_name={"GET /a": a_load(400.0).latency, "GET /b": NONE},
)


def using(processes):
    return msgspec.structs.replace(a_usage(0.5), processes=processes)


TRIALS = {
    "plain": a_trial(),
    "void": a_void_trial(
        reasons=("died",), load=None, usage={}, proof_before=None, proof_after=None, ready_s=None
    ),
    "seconds, names and lag": a_trial(load=BUSY),
    "one second": a_trial(load=a_load(400.0, per_second=SECONDS[:1])),
    "processes": a_trial(
        usage={
            "app": using(PROCESSES),
            "edge": using(PROCESSES[2:]),
            "load": a_usage(0.1),
        }
    ),
    "network": a_trial(
        network={
            role: NetworkCounts(listen_overflows=0, listen_drops=0, retransmits=again, segments=again)
            for role, again in (("app", 3), ("load", 4))
        }
    ),
    "proofs": a_trial(proof_before=SAID, proof_after=SAID),
    "another proof after": a_trial(proof_before=SAID, proof_after=OTHERWISE),
    "only a proof after": a_trial(proof_before=None, proof_after=OTHERWISE),
    "no workers and no version": a_trial(
        proof_before=msgspec.structs.replace(SAID, workers=0, server_version=""), proof_after=SAID
    ),
    "old proofs": a_trial(proof_before=a_proof(), proof_after=SAID),
    "beside the load": a_trial(log_tail=("app: x",), clock_jump_s=0.0, log_lines={"app": 0}),
}


@pytest.mark.parametrize("name", TRIALS)
def test_every_trial_is_read_back_as_it_was_packed(name):
    made = TRIALS[name]
    assert unfolded(unpacked(packed(folded(made)))) == made


@pytest.mark.parametrize("words", [["a", None], [None, "a"], ["a", "a", None, "a"], ["a", "a"], [None, None]])
def test_in_a_column_of_words_what_is_absent_stays_absent(words):
    rows = [{"role": f"r{number}", "said": said} for number, said in enumerate(words)]
    assert list(_rows(_table(row.items() for row in rows))) == rows
    assert list(_rows(_table([("said", row["said"])] for row in rows))) == [{"said": each} for each in words]


OF_LOAD = ("users", "window_start", "window_end", "ended", "ok", "late", "body_bytes", "latency")
OF_TRIAL = ("planned", "state", "started_at", "wall_s", "replicas", "ready_s", "image_bytes", "proof_before")
LEFT_OUT = {
    Latency: dict.fromkeys(
        ("count", "p50_us", "p95_us", "p99_us", "max_us", "mean_us", "p05_us", "p90_us", "p999_us")
    ),
    PlannedTrial: dict.fromkeys(("id", "round", "workload", "cpus", "target", "asked")) | {"control": False},
    Proof: {
        **dict.fromkeys(("workers", "server_version", "identity")),
        "checks": [],
        "processes": [],
        "passed": {},
        "as_before": False,
    },
    LoadResult: {
        **dict.fromkeys((*OF_LOAD, "latency_failed", "by_name", "versions", "inspections", "rate")),
        **dict.fromkeys(("scheduled", "sent", "queued", "unsent", "lost", "lag", "loop_lag")),
        "failures": [],
        "connections": {},
        "arrival": "closed",
        "per_second": [],
        "steps": [],
    },
    Trial: {
        **dict.fromkeys((*OF_TRIAL, "proof_after", "load", "usage", "load_average", "steal_share")),
        **dict.fromkeys(("speed_before", "speed_after", "clock_jump_s", "other_cpu_s")),
        "void_reasons": [],
        "log_tail": [],
        "network": {},
        "log_lines": {},
        "format": 1,
    },
}
"""What a line of format 2 does not say: whoever changes one of these changes what committed lines mean."""


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_what_a_line_of_format_2_leaves_out_means_the_same_for_ever(kind):
    assert json.loads(json.dumps(_defaults(kind))) == LEFT_OUT[kind]


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.parent.name)
def test_every_committed_trial_is_the_same_after_packing(path):
    run = store.read_run(path.parent)
    assert [unfolded(unpacked(packed(folded(each)))) for each in run.trials] == list(run.trials)


EVERYDAY = (
    *("interface", "variant", "cpus", "workers", "multithread", "debug", "autoreload", "database", "cache"),
    *("realtime", "session_store", "jwt_verify", "jwt_algorithm", "plain_tokens", "password_hasher"),
    *("login_limits", "static_files"),
)


def test_everyday_checks_are_one_sign_which_means_the_same_for_ever():
    identity = {name: f"any {name}" for name in EVERYDAY}
    passed = {f"identity: {name}": seen for name, seen in identity.items()} | {"seeded books": "500"}
    trial = a_trial(proof_before=msgspec.structs.replace(SAID, identity=identity, passed=passed))
    assert json.loads(packed(trial))["proof_before"]["alike"] == "*"
    assert unpacked(packed(trial)) == trial
    fewer = {check: seen for check, seen in passed.items() if check != "identity: static_files"}
    other = a_trial(proof_before=msgspec.structs.replace(SAID, identity=identity, passed=fewer))
    assert json.loads(packed(other))["proof_before"]["alike"].endswith("password_hasher login_limits")
    assert unpacked(packed(other)) == other


def test_the_line_of_an_everyday_trial_is_short():
    sizes = [len(packed(folded(each))) for each in store.read_run(NEWEST_QUICK).trials]
    assert sum(sizes) / len(sizes) < LARGEST_MEAN_BYTES


def test_a_line_says_each_thing_once():
    made = a_trial(
        load=a_load(400.0, per_second=SECONDS),
        usage=TRIALS["processes"].usage,
        network=TRIALS["network"].network,
        proof_before=SAID,
        proof_after=SAID,
    )
    line = json.loads(packed(folded(made)))
    assert line["format"] == 2
    assert line["load"]["per_second"] == {
        "ended": [400, 0, 390],
        "ok": [400, 0, 388],
        "failed": [0, 0, 2],
        "count": {},
        "p50_us": [2000, None, 2100],
        "p99_us": None,
    }
    assert line["processes"] == {
        "role": ["app", None, None, "edge"],
        "container": ["a1", None, "b2", None],
        "pid": [7, 8, 9, 9],
        "name": ["gunicorn", None, "nginx", None],
        "user_s": 0.5,
        "system_s": 0.0,
        "memory_pss_bytes": [9, None, 3, 3],
        "context_switches_voluntary": None,
        "context_switches_involuntary": None,
    }
    assert line["network"] == {
        "role": ["app", "load"],
        "listen_overflows": 0,
        "listen_drops": 0,
        "retransmits": [3, 4],
        "segments": [3, 4],
    }
    assert line["proof_before"] == {
        "workers": 2,
        "identity": {"parent": "x", "process": None, "debug": "False", "autoreload": None, "none": ""},
        "processes": [7, 8],
        "passed": {"/healthz": "200", "identity: none": ""},
        "alike": "debug autoreload",
    }
    assert line["proof_after"] == {"as_before": True, "same": ["workers", "processes"]}


@pytest.mark.parametrize("name", TRIALS)
def test_a_run_may_hold_lines_of_both_formats(tmp_path, name):
    path = store.create_run(tmp_path, plan=a_plan(rounds=2), environment=an_environment())
    older, newer = a_trial(round=2), TRIALS[name]
    (path / "trials.jsonl").write_bytes(msgspec.json.encode(older) + b"\n")
    store.append_trial(path, newer)
    run = store.read_run(path)
    assert (run.trials, run.problems) == ((older, newer), ())


DAMAGED = {
    "no plan": b'{"format":2,"state":"measured"}',
    "a table of unequal columns": b'{"format":2,"planned":{"id":"x"},"usage":{"role":["a","b"],"cpu_s":[1]}}',
    "a list": b'{"format":2,"planned":[1]}',
    "an unknown check": b'{"format":2,"planned":{"id":"x"},"proof_before":{"alike":"debug"}}',
    "same as nothing": b'{"format":2,"planned":{"id":"x"},"proof_after":{"same":["workers"]}}',
    "an unknown key": packed(a_trial())[:-1] + b',"other":1}',
    "a count that is absent": packed(a_trial()).replace(b'"wall_s":15.0,', b""),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_not_of_the_packed_form_is_a_damaged_line(tmp_path, name):
    path = store.create_run(tmp_path, plan=a_plan(), environment=an_environment())
    (path / "trials.jsonl").write_bytes(DAMAGED[name] + b"\n")
    run = store.read_run(path)
    assert run.trials == ()
    assert [problem.message[:20] for problem in run.problems] == ["cut short or damaged"]
