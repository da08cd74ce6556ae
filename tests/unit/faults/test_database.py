"""The database is full or dies: what is asked of it, and what is undone."""

import itertools
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from serverlab.compose import Database, Engine
from serverlab.errors import TrialFailed
from serverlab.faults import FAULTS, fault, holding, postgres
from serverlab.faults import database as database_faults
from serverlab.faults.database import COMMITTED
from serverlab.faults.fault import NotEffective, NotUndone, Scene
from serverlab.model.faults import Rule
from tests.fake_engine import ExecResult, FakeClient
from tests.fake_processes import INIT, FakeServer


class FakeDatabase(FakeServer):
    """PostgreSQL that prints what it is told to; its sessions are held by one process."""

    def __init__(self, container):
        super().__init__(container, rows=[INIT, [7, 1, "S", 20, "postgres"]])
        self.prints = {"SELECT 1": "1", "SHOW fsync": "on", "SHOW synchronous_commit": "on"}
        self.statements = []
        self.full = "20 0 20"
        container.logs = lambda **_: b"LOG:  database was not shut down; automatic recovery in progress\n"

    def _exec(self, argv, *, environment=None, detach=False):
        if argv[0] == "psql":
            assert environment["PGPASSWORD"] == "secret"
            return self._psql([word for before, word in itertools.pairwise(argv) if before == "-c"])
        if detach:
            self.rows.append([9, 1, "S", 40, f"python3 {holding.MARK}"])
            return ExecResult(0, b"")
        if argv[4] == holding.SEEN:
            return ExecResult(0, self.full.encode())
        return super()._exec(argv)

    def _psql(self, statements):
        if self.container.status != "running":
            return ExecResult(2, b"no server")
        self.statements += statements
        return ExecResult(0, "\n".join(self.prints.get(each, "0") for each in statements).encode())

    def _takes(self, name, pid):
        self.rows.remove(self.row(pid))


@pytest.fixture
def database():
    return FakeDatabase(FakeClient().add("db"))


@pytest.fixture
def measured():
    return {}


@pytest.fixture
def scene(database, measured):
    return Scene(
        engine=Engine(database.container.client),
        shell=None,
        root=None,
        expected=SimpleNamespace(settings=SimpleNamespace(database_password="secret")),
        hold_s=0.1,
        note=lambda _: None,
        measure=measured.update,
    )


def test_a_database_that_is_killed_is_started_and_has_recovered(scene, database, measured):
    database.does["SIGKILL"] = lambda: database.end(137)
    with FAULTS["F-26"].inject(scene) as seen:
        assert seen == "killed"
        assert database.container.status == "exited"
    assert database.container.status == "running"
    assert measured == {"recoveries": 1}
    assert not [each for each in database.statements if "ALTER" in each]


def test_the_control_lets_commits_go_before_the_disk_and_puts_that_back(scene, database):
    counts = iter(["5", "9", "15"])
    plain = database.prints.get
    database.prints = SimpleNamespace(
        get=lambda each, other: (
            next(counts) if each == "SELECT count(*) FROM lab_entry" else plain(each, other)
        )
    )
    database.does["SIGKILL"] = lambda: database.end(137)
    with FAULTS["F-26c"].inject(scene):
        assert "ALTER SYSTEM SET synchronous_commit = off" in database.statements
        assert next(counts, None) is None
    assert database.statements[-2:] == ["ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()"]


def test_connections_are_held_until_the_block_ends(scene, database):
    with FAULTS["F-23"].inject(scene) as seen:
        assert seen == "all 20 connections are held; the database refuses others"
        assert [row[0] for row in database.rows] == [1, 7, 9]
    assert [row[0] for row in database.rows] == [1, 7]


@pytest.mark.parametrize("state", ["", "19 0 20", "20 1 20"])
def test_connections_that_are_not_all_held_are_no_fault(scene, database, state, monkeypatch):
    monkeypatch.setattr(holding, "WITHIN_S", 0.05)
    monkeypatch.setattr(holding, "PAUSE_S", 0.01)
    database.full = state
    with pytest.raises(NotEffective, match="20 connections are held"), FAULTS["F-23"].inject(scene):
        pass
    assert [row[0] for row in database.rows] == [1, 7]


def test_what_the_database_refuses_is_told(scene, database):
    database.end(1)
    with pytest.raises(TrialFailed, match="the database: no server"):
        postgres.sql(scene, "SELECT 1")


def test_the_word_of_a_commit_is_the_message_that_postgresql_sends():
    tag = b"COMMIT\0"
    assert b"C" + (4 + len(tag)).to_bytes(4, "big") + tag == COMMITTED


class CuttingProxy:
    """The way to the database, and which toxics were on it when."""

    def __init__(self):
        self.at_work = []

    def traffic(self):
        return SimpleNamespace(touched=2 if self.at_work else 1)

    @contextmanager
    def harmed(self, toxics):
        self.at_work = [each.type for each in toxics]
        yield
        self.at_work = []


@pytest.fixture
def cut(database, monkeypatch):
    """Statuses of the entry that is sent by way of a proxy; it is there ``copies`` times until it is removed."""
    proxy = CuttingProxy()
    found = SimpleNamespace(copies=1, sent=[], proxy=proxy, stays=False, first=500)

    def told(statement, other):
        if not statement.startswith("SELECT key"):
            return other
        removed = any("DELETE FROM lab_entry " in each for each in database.statements)
        there = 0 if removed and not found.stays else found.copies
        return "\n".join([statement.split("'")[1]] * there)

    def sent(_scene, key):
        found.sent.append((key, proxy.at_work))
        return 200 if len(found.sent) == 2 else found.first

    database.prints = SimpleNamespace(get=told)
    monkeypatch.setattr(database_faults, "proxy_of", lambda *_: proxy)
    monkeypatch.setattr(database_faults, "_sent", sent)
    return found


def test_an_entry_that_was_committed_and_cut_off_is_sent_again_and_counted(scene, cut, measured):
    with FAULTS["F-24"].inject(scene) as seen:
        assert seen == "an entry is committed and its sender got 500; they touched 1 pieces"
    (first, during), (second, after) = cut.sent
    assert (first == second, during, after) == (True, ["cut_at"], [])
    assert measured == {"copies_after_retry": 1, "first_status": 500, "retry_status": 200}


def test_an_entry_that_was_not_committed_is_no_cut(scene, cut):
    cut.copies = 0
    with pytest.raises(NotEffective, match="is not there"), FAULTS["F-24"].inject(scene):
        pass


def test_a_sender_who_is_told_of_the_commit_was_not_cut_off(scene, cut):
    cut.first = 201
    with pytest.raises(NotEffective, match="not cut off: its sender got 201"), FAULTS["F-24"].inject(scene):
        pass


def test_a_toxic_that_touched_nothing_cut_nothing_off(scene, cut):
    cut.proxy.traffic = lambda: SimpleNamespace(touched=1)
    with pytest.raises(NotEffective, match="not cut off"), FAULTS["F-24"].inject(scene):
        pass


def test_an_entry_of_the_fault_s_own_that_stays_is_no_undo(scene, cut, monkeypatch):
    monkeypatch.setattr(fault, "CONFIRM_S", 0.05)
    cut.stays = True
    stays = pytest.raises(NotUndone, match="the fault's own entries are removed: not seen within ")
    with stays, FAULTS["F-24"].inject(scene):
        pass


@pytest.mark.parametrize("name", [each for each in FAULTS if each.startswith("F-2")])
def test_every_fault_of_the_database_is_on_postgresql(name):
    assert FAULTS[name].stack()["database"] is Database.POSTGRES


def test_what_was_written_down_before_it_was_tried():
    """A rule that is changed is changed here, too."""
    mine = ("F-2", "F-42", "F-50", "F-51", "F-6")
    stated = {name: each.rule for name, each in FAULTS.items() if name.startswith(mine)}
    late, whole = Rule(failures_at_most=0), Rule(goodput_at_least=0.5)
    bounded = {most: Rule(measured_at_most={"bounded_after_s": most}) for most in (36, 40)}
    assert stated == {
        "F-20": Rule(),
        "F-20b": Rule(),
        "F-21": Rule(measured_at_most={"errors_when_back_per_worker": 1}),
        "F-22": bounded[40],
        "F-23": Rule(),
        "F-24": Rule(measured_at_most={"copies_after_retry": 1}),
        "F-26": Rule(),
        "F-26c": Rule(recovers=False, must_lose=True),
        **dict.fromkeys(("F-50", "F-50b", "F-50c", "F-50d", "F-51e"), late),
        **dict.fromkeys(("F-51", "F-51b", "F-51c"), whole),
        "F-42": Rule(measured_at_most={"duplicates_with_key": 0, "entries_missing": 0}),
        "F-42d": Rule(
            measured_at_most={"duplicates_with_key": 0, "duplicates_without_key": 0, "entries_missing": 0}
        ),
        "F-60": Rule(),
        "F-60b": bounded[36],
        "F-60c": Rule(measured_at_most={"bad_gateways": 0}),
        "F-61": Rule(longest_gap_s=1.0),
        "F-61b": Rule(failures_at_most=0),
        "F-61c": Rule(failures_at_most=0, measured_at_most={"workers_gone": 0}),
        "F-61d": Rule(),
        "F-62": Rule(),
        "F-63": Rule(measured_at_most={"reconnected_after_s": 5}),
        "F-63b": Rule(failures_at_most=0, measured_at_most={"sockets_lost": 0, "reconnected_after_s": 5}),
    }
