"""The seeded passwords are stored anew where the stack's hasher does not know them."""

import pytest

from serverlab.compose import Database, Engine
from serverlab.errors import TrialFailed
from serverlab.seeding import POSTGRES, SEED, SEEDED, SQLITE, check_rows, store_passwords
from tests.fake_engine import ExecResult, FakeClient
from tests.unit.test_compose import stack_settings

REAL = {"LAB_CHEAP_HASHER": "off"}


@pytest.fixture
def client():
    client = FakeClient()
    client.add("app")
    client.add("app")
    return client


def test_with_the_real_hasher_the_file_is_seeded_once(client):
    store_passwords(Engine(client), stack_settings(app=REAL))
    assert client.executed == [SEED]


@pytest.mark.parametrize(
    "changes",
    [{}, {"app": {"LAB_CHEAP_HASHER": "on"}}, {"app": REAL, "database": Database.POSTGRES}],
)
def test_where_the_passwords_are_of_use_as_they_are_nothing_is_done(client, changes):
    store_passwords(Engine(client), stack_settings(**changes))
    assert client.executed == []


def test_a_command_that_fails_is_told_with_what_it_said():
    client = FakeClient()
    client.add("app", executes=ExecResult(exit_code=1, output=b"no such table\n"))
    with pytest.raises(TrialFailed, match=r"serverlab-app-1: seeding again ended with 1: no such table"):
        store_passwords(Engine(client), stack_settings(app=REAL))


def test_rows_are_counted_in_the_container_that_has_the_database(client):
    client.add("db")
    check_rows(Engine(client), stack_settings())
    check_rows(Engine(client), stack_settings(database=Database.POSTGRES))
    assert [argv[-1] for argv in client.executed] == [SQLITE, POSTGRES]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (SEEDED.replace("book 500 ", "book 501 "), "'book 501 d4a6653483a0311b'"),
        (
            SEEDED.replace("write 0 e3b0c44298fc1c14", "write 1 0123456789abcdef"),
            "'write 1 0123456789abcdef'",
        ),
        (SEEDED.replace("be6228394fab282f", "0123456789abcdef"), "'author 50 0123456789abcdef'"),
    ],
)
def test_a_row_too_many_or_one_that_was_changed_is_told(client, said, told):
    client.containers.things[0].rows = said
    with pytest.raises(TrialFailed) as refused:
        check_rows(Engine(client), stack_settings())
    assert refused.value.reason.startswith(
        f"the database is not as it was seeded: {told} (kind, rows, digest); "
    )


def test_a_database_that_says_nothing_of_its_rows_is_not_as_it_was_seeded(client):
    client.containers.things[0].rows = ""
    with pytest.raises(TrialFailed, match="the database is not as it was seeded"):
        check_rows(Engine(client), stack_settings())
