"""Verbs that need the engine while it no longer answers as it should: one message, no traceback, exit code 3."""

import docker.errors
import pytest

from serverlab.cli.main import ENGINE_HINT
from serverlab.errors import Exit

SAID = f"serverlab: the container engine no longer answers as it should: 500 Server Error\n{ENGINE_HINT}\n"


def gone(**_options):
    raise docker.errors.APIError("500 Server Error")


@pytest.mark.parametrize("verb", ["down", "clean", "ps", "logs"])
def test_a_verb_that_asks_for_containers_tells_it(cli, fake, verb):
    fake.client.containers.list = gone
    refused = cli(verb)
    assert (refused.code, refused.out, refused.err) == (Exit.ENVIRONMENT, "", SAID)


@pytest.mark.parametrize("verb", ["up", "locust"])
def test_a_stack_whose_engine_fails_while_it_starts_tells_it(cli, fake, verb):
    fake.trouble["up 1"] = lambda: setattr(fake.client.containers, "list", gone)
    refused = cli(verb, "gunicorn")
    assert (refused.code, refused.out, refused.err) == (
        Exit.ENVIRONMENT,
        "",
        f"starting gunicorn:gthread\n{SAID}",
    )


def test_before_that_the_cores_are_asked_for(cli, fake):
    fake.client.info = gone
    refused = cli("up", "gunicorn")
    assert (refused.code, refused.err) == (Exit.ENVIRONMENT, SAID)
