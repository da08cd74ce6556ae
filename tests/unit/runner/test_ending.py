"""Nothing of ours is left, and neither is it hidden why something was broken off."""

import docker.errors
import pytest

from serverlab.compose import Engine, StackDied
from serverlab.errors import EnvironmentLacks, TrialFailed
from serverlab.runner.ending import leaving_nothing, needing_the_engine, telling_who_died
from tests.fake_engine import FakeClient, refuse

GONE = "500 Server Error"


@pytest.fixture
def client():
    client = FakeClient()
    client.add("app")
    return client


def stop_answering(client):
    def gone(**_options):
        raise docker.errors.APIError(GONE)

    client.containers.list = gone


def test_what_is_to_be_done_when_all_is_gone_is_done_then(client):
    seen = []
    with leaving_nothing(Engine(client), then=lambda: seen.append(client.is_empty)):
        seen.append(client.is_empty)
    assert seen == [False, True]


@pytest.mark.parametrize(
    "first", [KeyboardInterrupt(), TypeError("a bug"), TrialFailed("it died"), docker.errors.APIError("no")]
)
def test_all_is_removed_whatever_ends_the_block(client, first):
    with pytest.raises(type(first)) as raised, leaving_nothing(Engine(client)):
        raise first
    assert raised.value is first
    assert client.is_empty


def broken_off_by(client, first, **options):
    """The engine stops answering, and then that is raised."""
    with leaving_nothing(Engine(client), **options):
        stop_answering(client)
        if first:
            raise first


@pytest.mark.parametrize("first", [KeyboardInterrupt(), TypeError("a bug"), docker.errors.APIError("no")])
def test_what_broke_off_is_raised_also_where_nothing_can_be_removed_and_the_rest_is_said(client, first):
    said, gone = [], []
    with pytest.raises(type(first)) as raised:
        broken_off_by(client, first, say=said.append, then=lambda: gone.append(True))
    assert raised.value is first
    assert said == [f"not all that is ours could be removed, the next start tries again: {GONE}"]
    assert gone == []


@pytest.mark.parametrize(
    ("first", "before"), [(None, ""), (TrialFailed("it died"), "; before that: it died")]
)
def test_an_engine_that_removes_nothing_is_told_as_that_with_the_trial_that_had_failed(client, first, before):
    with pytest.raises(EnvironmentLacks) as raised, needing_the_engine(hint="Try again."):
        broken_off_by(client, first)
    assert (raised.value.what, raised.value.hint) == (
        f"the container engine no longer answers as it should: {GONE}{before}",
        "Try again.",
    )


@pytest.mark.parametrize("status", [404, 409])
def test_a_container_that_has_ended_is_the_stacks_doing_and_is_told_with_how_it_ended(client, status):
    client.add("app", status="exited", exit_code=3, logged=["bye"])
    with pytest.raises(StackDied) as raised, telling_who_died(Engine(client)):
        refuse(status)
    assert raised.value.what == (
        "a container has ended or is gone: the container is not running\nserverlab-app-2 ended with 3:\n  | bye"
    )


def test_an_engine_that_fails_is_not_the_stacks_doing(client):
    with pytest.raises(docker.errors.APIError), telling_who_died(Engine(client)):
        refuse(500)
