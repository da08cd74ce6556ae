"""`serverlab http`: what comes of odd requests is saved and told."""

from __future__ import annotations

import json
import os

import docker.errors
import pytest

from serverlab.errors import Exit
from serverlab.framing import exchange
from tests.checkout import DOCKERFILE, write
from tests.fake_engine import ExecResult
from tests.fakes import Answer
from tests.functional.conftest import IMAGES, SIGNALS
from tests.unit.framing.smuggler import told


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(exchange, "PATIENCE_S", 0.5)
    monkeypatch.setattr(exchange, "CLOSING_S", 0.2)


@pytest.fixture
def recorded(fake):
    """The app keeps what it is asked, as the real one does in its table."""
    rows = []
    plain = fake.app.answer

    def answer(method, path, token):
        _, _, marker = path.partition("marker=")
        if marker:
            rows.append([len(rows) + 1, marker, method, path, 0, ""])
        status, document = plain(method, path.partition("?")[0], token)
        return status, {**document, "marker": marker}

    def prepare():
        fake.app_container.exec_run = lambda argv: told(rows, argv)

    fake.app.answer = answer
    for number in range(1, 4):
        fake.trouble[f"up {number}"] = prepare
    return fake


def lines_in(root):
    (found,) = root.glob("results/http/*/answers.jsonl")
    return [json.loads(line) for line in found.read_text().splitlines()]


def test_what_is_only_otherwise_is_told_and_ends_well(cli, recorded):
    outcome = cli("http", "gunicorn", "--only", "H-27,H-20")
    assert (outcome.code, outcome.out.splitlines()[-1]) == (
        Exit.OK,
        "5 answers: 1 as the RFC wants, 4 otherwise, 0 smuggled; 0 cases not shown",
    )
    assert (
        "≠ gunicorn:gthread  H-20  none: 200, the app got 1 request with a body of 0 bytes (400)"
        in outcome.out
    )
    assert [(each["case"], each["target"]) for each in lines_in(recorded.root)] == [
        ("H-20", "gunicorn:gthread"),
        ("H-27", "gunicorn:gthread"),
    ]
    assert recorded.client.containers.things == []


def test_a_server_that_smuggles_is_exit_code_1(cli, recorded):
    """Python's own server, which stands in for the stack, knows no Transfer-Encoding."""
    outcome = cli("http", "gunicorn", "--only", "H-01")
    assert outcome.code == Exit.VERDICT_FAILED
    assert "✗ gunicorn:gthread  H-01  TE.CL: the hidden request reached the app; " in outcome.out


def test_a_stack_that_does_not_start_is_not_shown_and_exit_code_1(cli, recorded):
    recorded.trouble["up 1"] = lambda: (
        setattr(recorded.app_container, "status", "exited") or setattr(recorded.app_container, "exit_code", 3)
    )
    recorded.app.statuses["/readyz"] = 503
    outcome = cli("http", "gunicorn", "--only", "H-27")
    assert outcome.code == Exit.VERDICT_FAILED
    assert outcome.out.startswith("? gunicorn:gthread  H-27  no stack: gunicorn:gthread did not start")


def test_a_stack_that_is_not_what_it_should_be_is_asked_nothing_and_exit_code_1(cli, recorded):
    recorded.trouble["up 1"] = lambda: setattr(recorded.app, "server_header", "another")
    outcome = cli("http", "gunicorn", "--only", "H-27,H-20")
    assert outcome.code == Exit.VERDICT_FAILED
    assert [(each["case"], each["answers"], each["problem"]) for each in lines_in(recorded.root)] == [
        (
            case,
            [],
            "no stack: gunicorn:gthread is not what it should be: Server header: 'another', expected ^gunicorn$",
        )
        for case in ("H-20", "H-27")
    ]
    assert recorded.client.is_empty


def test_a_run_goes_on_with_what_is_missing(cli, recorded):
    cli("http", "gunicorn", "--only", "H-27")
    (run,) = recorded.root.glob("results/http/*")
    outcome = cli("http", "gunicorn", "--only", "H-27,H-07", "--resume", run.name)
    assert outcome.code in (Exit.OK, Exit.VERDICT_FAILED)
    assert [each["case"] for each in lines_in(recorded.root)] == ["H-27", "H-07"]


@pytest.fixture
def _with_another_image(recorded):
    """Not Gunicorn alone has an image, but runserver as well."""
    write(recorded.root, "deploy/runserver/Dockerfile", DOCKERFILE)
    runserver = {**IMAGES[0], "Id": "sha256:runserver", "RepoTags": ["serverlab/runserver:dev"]}
    recorded.shell.script["docker image inspect"] = Answer(stdout=json.dumps([*IMAGES, runserver]))


@pytest.mark.usefixtures("_with_another_image")
@pytest.mark.parametrize("named", [("gunicorn",), ()], ids=["with its target", "without any"])
def test_a_run_of_some_targets_goes_on_though_there_are_images_of_others(cli, recorded, named):
    cli("http", "gunicorn", "--only", "H-27")
    (run,) = recorded.root.glob("results/http/*")
    outcome = cli("http", *named, "--only", "H-27,H-07", "--resume", run.name)
    assert outcome.code in (Exit.OK, Exit.VERDICT_FAILED)
    found = [(each["case"], each["target"]) for each in lines_in(recorded.root)]
    assert [case for case, target in found if target == "gunicorn:gthread"] == ["H-27", "H-07"]
    assert {target.partition(":")[0] for _, target in found} == {"gunicorn"}


@pytest.mark.usefixtures("_with_another_image")
def test_a_target_that_a_run_was_begun_without_is_not_put_into_it(cli, recorded):
    cli("http", "gunicorn", "--only", "H-27")
    (run,) = recorded.root.glob("results/http/*")
    outcome = cli("http", "gunicorn", "runserver", "--only", "H-27", "--resume", run.name)
    assert (outcome.code, outcome.err) == (
        Exit.USAGE,
        (
            f"serverlab: {run}: it was begun without the images of runserver:threaded\n"
            "Name targets that it was begun with, or start a new run.\n"
        ),
    )


def test_a_target_that_is_named_twice_is_asked_once(cli, recorded):
    cli("http", "gunicorn", "gunicorn:gthread", "--only", "H-27")
    assert [each["target"] for each in lines_in(recorded.root)] == ["gunicorn:gthread"]


def test_a_case_that_broke_off_is_asked_again_when_the_run_goes_on(cli, recorded):
    def unread():
        recorded.app_container.exec_run = lambda _argv: ExecResult(1, b"no such table\n")

    recorded.trouble["up 1"] = unread
    outcome = cli("http", "gunicorn", "--only", "H-27")
    assert outcome.out.splitlines()[-1].endswith("1 case not shown")
    (run,) = recorded.root.glob("results/http/*")
    outcome = cli("http", "gunicorn", "--only", "H-27", "--resume", run.name)
    assert (outcome.code, outcome.out.splitlines()[-1]) == (
        Exit.OK,
        "1 answer: 1 as the RFC wants, 0 otherwise, 0 smuggled; 0 cases not shown",
    )
    assert [each["problem"][:9] for each in lines_in(recorded.root)] == ["broke off", ""]


def test_an_engine_that_no_longer_answers_ends_the_run_and_says_how_to_go_on(cli, recorded):
    def gone(*_arguments, **_options):
        raise docker.errors.APIError("500 Server Error")

    def going():
        recorded.app_container.exec_run = gone
        recorded.client.containers.list = gone

    recorded.trouble["up 1"] = going
    outcome = cli("http", "gunicorn", "--only", "H-27,H-20")
    (run,) = recorded.root.glob("results/http/*")
    assert outcome.code == Exit.ENVIRONMENT
    assert "the container engine no longer answers as it should: 500 Server Error" in outcome.err
    assert f"serverlab http --resume {run.name}" in outcome.err
    assert lines_in(recorded.root) == []


def test_a_line_that_was_cut_short_is_told(cli, recorded):
    cli("http", "gunicorn", "--only", "H-27")
    (path,) = recorded.root.glob("results/http/*/answers.jsonl")
    with path.open("ab") as file:
        file.write(b'{"case": "H-0\n')
    resumed = ("http", "gunicorn", "--only", "H-27", "--resume", path.parent.name)
    assert f"http/{path.parent.name}/answers.jsonl, line 2: cut short or damaged" in cli(*resumed).err
    (problem,) = json.loads(cli(*resumed, "--json").out)["problems"]
    assert (problem["file"], problem["line"]) == (f"http/{path.parent.name}/answers.jsonl", 2)


@pytest.mark.usefixtures("_with_another_image")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("moment", ["up 2", "asked"])
def test_who_ends_it_leaves_nothing_but_what_was_found(cli, recorded, moment, number):
    told, plain = [], recorded.app.answer

    def tell():
        told.append(moment)
        os.kill(os.getpid(), number)

    def answer(method, path, token):
        if moment == "asked" and recorded.stacks == 2 and "marker=" in path and not told:
            tell()
        return plain(method, path, token)

    recorded.app.answer = answer
    if moment == "up 2":
        recorded.trouble[moment] = tell
    outcome = cli("http", "gunicorn", "runserver", "--only", "H-27")
    assert (told, outcome.code, outcome.out) == ([moment], Exit.INTERRUPTED, "")
    (run,) = recorded.root.glob("results/http/*")
    assert outcome.err.endswith(
        f"serverlab: stopped; what was found is in {run}\n"
        f"Go on with: serverlab http --resume {run.name} (with the same targets and cases)\n"
    )
    assert [each["target"] for each in lines_in(recorded.root)] == ["gunicorn:gthread"]
    assert recorded.client.is_empty
    recorded.trouble["up 3"] = recorded.trouble["up 1"]
    resumed = cli("http", "gunicorn", "runserver", "--only", "H-27", "--resume", run.name)
    assert resumed.code == Exit.OK
    assert [each["target"] for each in lines_in(recorded.root)] == ["gunicorn:gthread", "runserver:threaded"]


def test_a_machine_reads_json(cli, recorded):
    document = json.loads(cli("http", "gunicorn", "--only", "H-27", "--json").out)
    assert [each["case"] for each in document["answers"]] == ["H-27"]


@pytest.mark.parametrize("only", ["H-9", "H-01,", ""])
def test_an_unknown_case_is_wrong_usage(cli, only):
    outcome = cli("http", "gunicorn", "--only", only)
    assert (outcome.code, "no case" in outcome.err) == (Exit.USAGE, True)


def test_an_unknown_run_cannot_be_gone_on_with(cli, recorded):
    outcome = cli("http", "gunicorn", "--resume", "20250101-000000")
    assert (outcome.code, "no such run" in outcome.err) == (Exit.USAGE, True)
