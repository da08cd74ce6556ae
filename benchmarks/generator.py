"""What the lab's generator can ask for a second of CPU time, on a server that does nothing, beside others.

Beside Locust as it comes (HttpUser), which it has to beat, and wrk, which is written in C. And what recording costs:
the same generator with recording replaced by nothing. Each repeat measures all of it, in shuffled order, and
each has to keep the limits.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from benchmarks.keeping import CHECKOUT, keep, parser_of
from serverlab import compose, host, images, load, probe, sampler, witnesses
from serverlab.catalog import load_catalog
from serverlab.compose import Engine, follow
from serverlab.lock import only_lab
from serverlab.model.benchmarks import Bound
from serverlab.model.definitions import Arrival, Protocol, Target, Workload
from serverlab.model.stacks import NullSettings, StackSettings
from serverlab.runner import Lab
from serverlab.runner.run import clear_the_machine
from serverlab.shell import HostShell, run_checked

USERS = 32
WARMUP_S = 1.0
WINDOW_S = 5.0
SEED = 20261122

LEAST_OVER_PLAIN = 1.5
MOST_RECORDING = 0.05

PATH = "/api/ping/"
OVERLAYS = ("compose/null.yml", "compose/load.yml", "compose/witness.yml", "benchmarks/mounted.yml")
OURS, UNRECORDED, PLAIN, WRK = "ours", "without recording", "plain HttpUser", "wrk"
BLOCKS = (*[(OURS, UNRECORDED)] * 4, (PLAIN,), (WRK,))
"""Of one repeat, before they and their turns are shuffled: what differs by little is measured often, side by side."""

LOCUSTFILES = {
    OURS: "/loadtests/ping/locustfile.py",
    UNRECORDED: "/bench/unrecorded.py",
    PLAIN: "/bench/plain.py",
}

ASKED = Workload(
    format=1,
    title="Ping",
    description="A fixed text of nginx's",
    arrival=Arrival.CLOSED,
    users=USERS,
    warmup_s=WARMUP_S,
    duration_s=WINDOW_S,
    timeout_s=10.0,
)


@dataclass(frozen=True)
class Rate:
    """Requests per second, and per second of the generator's CPU time."""

    per_s: float
    per_cpu_s: float


@dataclass(frozen=True)
class Stand:
    """The server that does nothing, while it runs."""

    shell: HostShell
    engine: Engine
    settings: StackSettings

    def start(self, service: str, variables: Mapping[str, str] | None = None) -> None:
        """Start a container beside the server."""
        chosen = [word for name in OVERLAYS for word in ("--file", str(CHECKOUT / name))]
        argv = [
            "docker",
            "compose",
            "--progress",
            "quiet",
            *chosen,
            "up",
            "--detach",
            "--no-build",
            "--no-deps",
        ]
        environment = {**self.settings.variables(), **(variables or {})}
        run_checked(self.shell, [*argv, service], env=environment, timeout_s=60, what=f"starting {service}")

    def forget(self, service: str) -> None:
        """Remove the containers of a service."""
        for container in self.engine.containers(service):
            container.remove(force=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a limit was missed in any repeat."""
    parser = parser_of("generator", __doc__)
    parser.add_argument("--repeats", type=int, default=3, help="repeats (default: %(default)s)")
    options = parser.parse_args(arguments)
    with standing() as stand:
        repeats = [measured(stand, number) for number in range(1, options.repeats + 1)]
    return keep(
        "generator",
        "The generator",
        bounds_of(repeats),
        folder=options.save,
        conditions=f"nginx that answers {PATH} with a fixed text, {USERS} kept connections, {WINDOW_S:g} s after "
        f"{WARMUP_S:g} s of warm-up, generator on one core; {options.repeats} repeats, each has to keep the limits",
    )


@contextmanager
def standing() -> Iterator[Stand]:
    """The server that does nothing, and the container that wrk runs in; nothing is left behind."""
    shell = HostShell()
    engine = compose.connect(shell)
    images.ensure_images(shell, CHECKOUT, print, names=["nginx", "load", "witness"])
    split = host.assign_cores(1, host.cores_of(engine))
    settings = NullSettings(
        target=Target(server="null", variant=""),
        protocol=Protocol.HTTP,
        cpus=1,
        replicas=1,
        split=split,
        label="bench-lab",
    )
    with alone(Lab(CHECKOUT, shell, engine, load_catalog(CHECKOUT), print)):
        try:
            compose.up(shell, engine, CHECKOUT, settings)
            probe.wait_ready(engine, settings)
            stand = Stand(shell, engine, settings)
            stand.start("witness")
            yield stand
        finally:
            engine.remove_all()


@contextmanager
def alone(lab: Lab) -> Iterator[None]:
    """The machine to itself while the block runs; what a killed run left behind is removed.

    Raises:
        EnvironmentLacks: another lab is at work, or a stack is up that a person started.
    """
    with only_lab(lab.lock):
        clear_the_machine(lab)
        yield


def measured(stand: Stand, number: int) -> dict[str, list[Rate]]:
    """What each generator did in one repeat, in the order of its turns."""
    order = random.Random(f"{SEED}/{number}")  # noqa: S311 - not a secret
    blocks = [order.sample(block, len(block)) for block in order.sample(BLOCKS, len(BLOCKS))]
    rates: dict[str, list[Rate]] = {}
    for name in chain.from_iterable(blocks):
        rate = by_wrk(stand) if name == WRK else by_locust(stand, name)
        print(f"repeat {number}: {name}: {rate.per_s:.0f}/s, {rate.per_cpu_s:.0f} per CPU second", flush=True)
        rates.setdefault(name, []).append(rate)
    return rates


def by_locust(stand: Stand, name: str) -> Rate:
    """The lab's generator, with or without recording, or Locust as it comes."""
    variables = load.headless_variables("ping", ASKED, url=stand.settings.inner_url)
    stand.forget("load")
    edges: list[Mapping[str, Any]] = []
    with sampler.Sampler() as samples:
        stand.start("load", {**variables, "LOCUST_LOCUSTFILE": LOCUSTFILES[name]})
        samples.watch(stand.engine.containers("load"))

        def at_edges(event: Mapping[str, Any]) -> None:
            if event.get("event") in ("measuring", "measured"):
                edges.append(event)
                samples.sample()

        if name == PLAIN:
            plain_events(stand, at_edges)
            requests, failed = edges[-1]["requests"], edges[-1]["failed"]
        else:
            result = load.await_result(stand.engine, ASKED, at_edges).result
            requests, failed = result.ok, sum(each.count for each in result.failures)
    if failed or not requests:
        raise RuntimeError(f"{name}: {requests} requests, {failed} failed: see what nginx logs")
    begin_s, end_s = (float(event["t"]) for event in (edges[0], edges[-1]))
    used = sampler.usage_within(samples.samples, start=begin_s, end=end_s)["load"]
    return Rate(per_s=requests / (end_s - begin_s), per_cpu_s=requests / used.cpu_s)


def plain_events(stand: Stand, on_event: Callable[[Mapping[str, Any]], None]) -> None:
    """Hand on the events of Locust as it comes until it has measured.

    Raises:
        RuntimeError: it ended before.
    """
    for line in follow(stand.engine.service("load")):
        event = json.loads(line) if line.startswith("{") else {}
        on_event(event)
        if event.get("event") == "measured":
            return
    raise RuntimeError("Locust ended before it had measured: see the log of its container")


def by_wrk(stand: Stand) -> Rate:
    """One thread of wrk."""
    question = witnesses.Question(
        url=f"{stand.settings.inner_url}{PATH}",
        headers={"User-Agent": "serverlab", "Accept": "application/json"},
        connections=USERS,
        warmup_s=WARMUP_S,
        window_s=WINDOW_S,
        timeout_s=10.0,
    )
    container = stand.engine.service("witness")
    container.exec_run(witnesses.wrk_command(question, lasts_s=WARMUP_S))
    before, began = sampler.read(container), time.monotonic()
    said = container.exec_run(witnesses.wrk_command(question, lasts_s=WINDOW_S)).output.decode()
    after, took_s = sampler.read(container), time.monotonic() - began
    seen = witnesses.read_wrk(said)
    if before is None or after is None:
        raise RuntimeError(f"wrk's container was not sampled within {took_s:.0f} s")
    return Rate(per_s=seen.rps, per_cpu_s=seen.ok / (after.cpu_s - before.cpu_s))


def bounds_of(repeats: Sequence[Mapping[str, Sequence[Rate]]]) -> list[Bound]:
    """Ours beside the others, and what recording takes of it; of the limits the worst repeat has to keep each."""
    cost = [{name: mean_cost(rates) for name, rates in repeat.items()} for repeat in repeats]
    over_plain = [each[PLAIN] / each[OURS] for each in cost]
    over_wrk = [each[WRK] / each[OURS] for each in cost]
    recording = [share_of_recording(repeat) for repeat in repeats]
    return [
        Bound(
            what="requests per CPU second over those of plain HttpUser, lowest repeat",
            measured=f"{min(over_plain):.2f}",
            limit=f"at least {LEAST_OVER_PLAIN:g}",
            kept=min(over_plain) >= LEAST_OVER_PLAIN,
            details=f"each repeat: {_each(f'{value:.2f}' for value in over_plain)}; {_rates(cost)}",
        ),
        Bound(
            what="requests per CPU second over those of wrk, median",
            measured=f"{statistics.median(over_wrk):.3f}",
            limit="",
            kept=None,
            details=f"each repeat: {_each(f'{value:.3f}' for value in over_wrk)}",
        ),
        Bound(
            what="recording's share of the generator's CPU time, highest repeat",
            measured=f"{max(recording):.1%}",
            limit=f"at most {MOST_RECORDING:.0%}",
            kept=max(recording) <= MOST_RECORDING,
            details=f"each repeat: {_each(f'{value:.1%}' for value in recording)}",
        ),
    ]


def mean_cost(rates: Sequence[Rate]) -> float:
    """CPU seconds per request, over all turns."""
    return statistics.fmean(1 / rate.per_cpu_s for rate in rates)


def share_of_recording(repeat: Mapping[str, Sequence[Rate]]) -> float:
    """What recording takes of the generator's CPU time per request: the mean over turns that were side by side."""
    pairs = zip(repeat[OURS], repeat[UNRECORDED], strict=True)
    return 1 - statistics.fmean(ours.per_cpu_s / without.per_cpu_s for ours, without in pairs)


def _rates(cost: Sequence[Mapping[str, float]]) -> str:
    medians = {name: statistics.median(1 / each[name] for each in cost) for name in cost[0]}
    return "requests per CPU second: " + _each(f"{name} {medians[name]:.0f}" for name in (OURS, PLAIN, WRK))


def _each(texts: Iterable[str]) -> str:
    return ", ".join(texts)


if __name__ == "__main__":
    sys.exit(main())
