"""Guessing passwords at a site of planted limits, over real sockets from many addresses."""

import hashlib
import json
import random
import threading
from collections import Counter
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from serverlab.attacks import crowd, flood, limits, login, timing
from serverlab.attacks.flood import Read
from serverlab.attacks.stage import Outcome
from serverlab.model.security import Verdict
from tests.unit.attacks.sites import Container, Site, a_stage

NOISE = [0.020 + 0.0001 * (number % 7) for number in range(60)]
REFUSED = b'{"detail": "No active account has these credentials."}'


class Guarded(ThreadingHTTPServer):
    """Refuses every log-in by 401; from the limit on by 429, counted for what `key` makes of a request."""

    request_queue_size = 128

    def __init__(
        self,
        *,
        limit=10_000,
        key=lambda request: request.client_address[0],
        retry_after="30",
        tells=False,
        hashes=(),
    ):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.limit, self.key, self.retry_after, self.tells = limit, key, retry_after, tells
        self.hashes = hashes
        self.counted = Counter()
        self.lock = threading.Lock()

    def allows(self, request):
        with self.lock:
            self.counted[self.key(request)] += 1
            return self.counted[self.key(request)] <= self.limit


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not fields["username"]:
            self.send_error(400)
            return
        self.username = fields["username"]
        allowed = self.server.allows(self)
        if (401 if allowed else 429) in self.server.hashes:
            hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 50_000)
        self.send_response_only(401 if allowed else 429)
        if not allowed and self.server.retry_after:
            self.send_header("Retry-After", self.server.retry_after)
        told = fields["username"].encode() if self.server.tells else b""
        self.send_header("Content-Length", str(len(REFUSED) + len(told)))
        self.end_headers()
        self.wfile.write(REFUSED + told)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def asked():
    """Put an attack to a server, and give its outcome."""
    servers = []

    def ask(attack, server, *, site=None, **options) -> Outcome:
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        stage = a_stage(site or Site(), container=Container(port=server.server_address[1]), **options)
        return attack(stage)

    yield ask
    for server in servers:
        server.shutdown()
        server.server_close()


def forwarded(request):
    """What a site counts by that believes its clients."""
    return request.headers.get("X-Forwarded-For", request.client_address[0])


def test_attempts_come_from_the_addresses_that_they_name(asked):
    server = Guarded()
    wanted = [crowd.attempt("x", address=f"127.9.9.{number}") for number in (1, 2, 2)]
    answers = asked(lambda stage: crowd.attempts(stage, wanted, at_once=2), server)
    assert server.counted == {"127.9.9.1": 1, "127.9.9.2": 2}
    assert [(each["status"], each["body"]) for each in answers] == [(401, REFUSED.decode())] * 3


def test_more_attempts_than_a_command_line_holds_are_made(asked):
    wanted = [crowd.attempt("x" * 400, address="127.9.9.3") for _ in range(401)]
    answers = asked(lambda stage: crowd.attempts(stage, wanted), Guarded())
    assert [each["status"] for each in answers] == [401] * len(wanted)


@pytest.mark.parametrize("attack", [limits.guessing, limits.claimed_addresses, limits.at_once])
def test_a_limit_that_holds_passes(asked, attack):
    outcome = asked(attack, Guarded(limit=limits.PER_ADDRESS))
    assert outcome.verdict is Verdict.PASS, outcome


def test_a_limit_for_all_processes_together_passes(asked):
    outcome = asked(limits.many_processes, Guarded(limit=limits.PER_ADDRESS), workers=2)
    assert (outcome.verdict, outcome.seen) == (Verdict.PASS, "20 x 401, 12 x 429 by 2 processes")


def test_one_process_is_not_asked_twice(asked):
    assert asked(limits.many_processes, Guarded(), workers=1).verdict is Verdict.NA


@pytest.mark.parametrize(
    ("attack", "server", "options"),
    [
        pytest.param(limits.guessing, Guarded(), {}, id="no limit"),
        pytest.param(limits.guessing, Guarded(limit=5), {}, id="another limit"),
        pytest.param(limits.guessing, Guarded(limit=20, retry_after=""), {}, id="no Retry-After"),
        pytest.param(limits.guessing, Guarded(limit=20, retry_after="3600"), {}, id="locked out for long"),
        pytest.param(limits.claimed_addresses, Guarded(limit=20, key=forwarded), {}, id="hearsay"),
        pytest.param(limits.many_processes, Guarded(limit=40), {"workers": 2}, id="a limit for each process"),
        pytest.param(limits.at_once, Guarded(limit=30), {}, id="counted late"),
    ],
)
def test_a_limit_that_does_not_hold_is_found(asked, attack, server, options):
    assert asked(attack, server, **options).verdict is Verdict.FAIL


def test_a_refusal_that_is_not_hashed_passes(asked):
    outcome = asked(limits.cheap_refusal, Guarded(limit=limits.PER_ADDRESS, hashes={401}))
    assert outcome.verdict is Verdict.PASS, outcome


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(Guarded(limit=limits.PER_ADDRESS, hashes={401, 429}), id="hashed all the same"),
        pytest.param(Guarded(hashes={401}), id="never refused"),
    ],
)
def test_a_refusal_that_costs_a_hash_is_found(asked, server):
    assert asked(limits.cheap_refusal, server).verdict is Verdict.FAIL


def test_refusals_that_are_the_same_pass(asked):
    assert asked(login.same_refusal, Guarded()).verdict is Verdict.PASS


def test_refusals_that_tell_one_case_from_another_are_found(asked):
    assert asked(login.same_refusal, Guarded(tells=True)).verdict is Verdict.FAIL


def test_answers_of_two_windows_are_not_judged_together():
    clock = iter([59.9, 60.1])
    made = iter([["first"], ["second"]])
    assert limits.in_one_window(lambda: next(made), now=lambda: next(clock)) == ["second"]


def test_guesses_that_fell_into_two_windows_are_made_anew_at_another_user(asked, monkeypatch):
    clock = iter([59.9, 60.1])
    turning = partial(limits.in_one_window, now=lambda: next(clock))
    monkeypatch.setattr(limits, "in_one_window", turning)
    server = Guarded(limit=limits.PER_ACCOUNT, key=lambda request: request.username)
    tokens = {"access": "a", "refresh": "r"}
    outcome = asked(limits.many_addresses, server, site=lambda _: httpx2.Response(200, json=tokens))
    assert outcome.verdict is Verdict.PASS, outcome
    assert len(server.counted) == 2


def test_a_difference_of_half_a_hash_is_found_and_noise_is_not():
    slower = [value + 0.010 for value in NOISE]
    times = {"wrong password": slower, "unknown name": NOISE, "inactive user": slower}
    found = timing.outcome_of(times, {401}, hash_s=0.020)
    assert (found.verdict, found.reason) == (
        Verdict.FAIL,
        "more than 5% of a hash between wrong password and unknown name, unknown name and inactive user",
    )
    assert found.seen == (
        "+10.00 to +10.00 ms (p 0.00); +0.00 to +0.00 ms (p 1.00); -10.00 to -10.00 ms (p 0.00); "
        "a hash takes 20.0 ms"
    )
    level = timing.outcome_of(dict.fromkeys(times, NOISE), {401}, hash_s=0.020)
    assert (level.verdict, level.measured["samples"]) == (Verdict.PASS, 180)
    limited = timing.outcome_of(dict.fromkeys(times, NOISE), {401, 429}, hash_s=0.020)
    assert (limited.verdict, limited.seen) == (Verdict.FAIL, "statuses [401, 429]")


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((-0.9, 0.9), Verdict.PASS),
        ((0.2, 1.0), Verdict.PASS),
        ((-0.1, 1.1), Verdict.UNKNOWN),
        ((-1.1, 0.1), Verdict.UNKNOWN),
        ((-3.0, 3.0), Verdict.UNKNOWN),
        ((1.1, 2.0), Verdict.FAIL),
        ((-2.0, -1.1), Verdict.FAIL),
    ],
)
def test_a_difference_is_shown_to_be_small_or_large_or_neither(interval, verdict):
    assert timing.Gap(*interval, p=0.5).beside(1.0) is verdict


class Clocked:
    """Refuses every log-in after a planted time, and those above the limit of a name at once; SQL makes it forget."""

    def __init__(self, site, *, leak_s=0.0, noise_s=0.0002):
        self.site, self.leak_s, self.noise_s = site, leak_s, noise_s
        self.counted = Counter()

    def do(self, statement, _values):
        if statement == "DELETE FROM shared_cache":
            self.counted.clear()
        return []

    def attempts(self, _stage, wanted):
        return [self.refusal(each["body"]["username"]) for each in wanted]

    def refusal(self, name):
        self.counted[name] += 1
        if self.counted[name] > limits.PER_ACCOUNT:
            return {"status": 429, "took_s": 0.002}
        leak_s = self.leak_s if name in self.site.users else 0.0
        noise_s = self.noise_s * random.random()  # noqa: S311 - it is no secret
        return {"status": 401, "took_s": 0.022 + leak_s + noise_s}


@pytest.fixture
def timed(monkeypatch):
    """What is found on a site with a leak or noise, and how many samples there were."""
    monkeypatch.setattr(timing, "SAMPLES", 100)
    random.seed(1)

    def found(**options):
        site = Site()
        clocked = Clocked(site, **options)
        monkeypatch.setattr(crowd, "attempts", clocked.attempts)
        outcome = timing.timing(a_stage(site, container=clocked))
        return outcome, outcome.measured["samples"]

    return found


def test_classes_that_take_the_same_time_pass_at_the_first_look(timed):
    outcome, samples = timed()
    assert (outcome.verdict, samples) == (Verdict.PASS, 300), outcome
    assert outcome.measured["hash_s"] == pytest.approx(0.0201, abs=0.0002)


def test_a_class_that_takes_longer_is_found_at_the_first_look(timed):
    outcome, samples = timed(leak_s=0.0015)
    assert (outcome.verdict, samples) == (Verdict.FAIL, 300), outcome
    assert outcome.reason == (
        "more than 5% of a hash between wrong password and unknown name, unknown name and inactive user"
    )


def test_classes_that_cannot_be_told_apart_for_noise_stay_unknown_in_the_end(timed):
    outcome, samples = timed(noise_s=0.2)
    assert (outcome.verdict, samples) == (Verdict.UNKNOWN, 1500), outcome
    assert outcome.reason.startswith("too few samples to tell whether 5% of a hash lies between ")


def test_an_interval_holds_what_lies_between_two_samples_and_the_p_value_is_of_ranks():
    one = [float(number) for number in range(1, 41)]
    found = timing.gap([value + 5 for value in reversed(one)], one)
    assert found.low_s < 5 < found.high_s
    assert timing.gap(one, one).p == pytest.approx(1.0)


def test_what_slows_a_machine_for_a_while_slows_both_and_widens_no_interval():
    drift = [0.020 + 0.010 * (number // 10 % 2) for number in range(60)]
    one = [value + 0.0001 * (number % 3) for number, value in enumerate(drift)]
    other = [value + 0.0001 * (number % 7 % 3) for number, value in enumerate(drift)]
    together = timing.gap(one, other)
    apart = timing.gap(one, [*other[30:], *other[:30]])
    assert together.high_s - together.low_s < 0.001 < apart.high_s - apart.low_s


class Library(Site):
    """Lends books to who has a session, while it is not closed."""

    closed = False

    def _signed_in(self, action, user, cookies):
        if action != "books":
            return super()._signed_in(action, user, cookies)
        return httpx2.Response(503 if self.closed else 200, json={"user": user})


@pytest.fixture
def shorter(monkeypatch):
    """A flood of three log-ins."""
    monkeypatch.setattr(flood, "BEFORE_S", 0.1)
    monkeypatch.setattr(flood, "FLOOD_S", 0.3)


def test_reads_that_go_on_in_a_flood_of_log_ins_pass(asked, shorter):
    server = Guarded()
    outcome = asked(flood.flood, server, site=Library())
    assert outcome.verdict is Verdict.PASS, outcome
    assert sorted(server.counted.values()) == [1, 1, 1]
    assert outcome.measured["reads"] >= 3
    assert outcome.measured["read_p50_s"] <= outcome.measured["read_slowest_s"]


def test_reads_that_are_refused_in_a_flood_are_found(asked, shorter):
    library = Library()

    class Closing(Guarded):
        def allows(self, request):
            library.closed = True
            return super().allows(request)

    outcome = asked(flood.flood, Closing(), site=library)
    assert (outcome.verdict, "reads in the flood: 503" in outcome.seen) == (Verdict.FAIL, True), outcome


def test_a_flood_that_the_limits_stop_is_none(asked, shorter):
    outcome = asked(flood.flood, Guarded(limit=1, key=lambda _: "all"), site=Library())
    assert (outcome.verdict, outcome.seen) == (Verdict.FAIL, "log-ins looked at: 1 of 3")


def test_only_reads_that_were_due_beside_a_log_in_are_of_the_flood():
    reads = [Read(due, 200, 0.01) for due in (9.0, 10.0, 11.0, 12.5, 13.0)]
    log_ins = [{"at": 10.5, "took_s": 1.0}, {"at": 12.5, "took_s": 0.5}]
    assert [each.due for each in flood.during(reads, log_ins)] == [10.0, 11.0, 12.5]


def test_a_flood_is_told_with_what_it_did_to_reads():
    quiet = [Read(0, 200, took_s) for took_s in (0.010, 0.011, 0.012)]
    flooded = [Read(0, 200, took_s) for took_s in (0.020, 0.030, 0.090)]
    found = flood.outcome_of(quiet, flooded, [{"status": 401, "took_s": 0.2}])
    assert (found.verdict, found.seen, found.measured) == (
        Verdict.PASS,
        "p50 11 ms, 30 in the flood; slowest 12 ms, 90 in the flood",
        {
            "reads": 3,
            "read_p50_s": 0.011,
            "read_slowest_s": 0.012,
            "flooded_read_p50_s": 0.030,
            "flooded_read_slowest_s": 0.090,
            "log_in_p50_s": 0.2,
        },
    )
    assert flood.outcome_of(quiet, [], [{"status": 401, "took_s": 0.2}]).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("wrong", [Read(0, 0, 0.01), Read(0, 502, 0.01), Read(0, 200, 0.01, "/app/")])
def test_one_read_without_its_answer_is_found(wrong):
    sound = Read(0, 200, 0.01)
    log_ins = [{"status": 401, "took_s": 0.2}]
    assert flood.outcome_of([sound], [sound, wrong], log_ins).verdict is Verdict.FAIL
    assert flood.outcome_of([wrong], [sound], log_ins).verdict is Verdict.FAIL
