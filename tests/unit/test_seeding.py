"""The seeded passwords are stored anew where the stack's hasher does not know them."""

import pytest

from serverlab.compose import Database, Engine
from serverlab.errors import TrialFailed
from serverlab.seeding import SEED, store_passwords
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
