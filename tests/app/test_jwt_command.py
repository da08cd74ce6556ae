"""`manage.py jwt`: a second reading of tokens, which must come to the same verdict as the first."""

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from accounts import inspection
from accounts.models import User
from config.keys import ALGORITHMS, key_ring
from tests.app.odd import ODD_CLAIMS, ODD_ENDS, ODD_HEADERS, ODD_NAMES
from tests.app.ways import Way

pytestmark = pytest.mark.django_db

APP = Path(__file__).resolve().parents[2] / "app"
BOTH = pytest.mark.parametrize("name", ["jwt", "plain"])


@pytest.fixture
def look(capsys):
    """Run the command and return its exit code, and what it printed."""

    def run(*arguments):
        capsys.readouterr()
        try:
            call_command("jwt", *arguments)
        except SystemExit as left:
            return left.code, capsys.readouterr().out
        return 0, capsys.readouterr().out

    return run


@pytest.fixture
def agree(client):
    """Ask app and command about a token; return whether it was accepted if they say the same."""

    def ask(name, token):
        body = {"token": token}
        answer = client.post(f"/api/auth/{name}/verify/", body, content_type="application/json")
        now = int(time.time())
        taken = list(inspection.steps(token, now=now, verifying="user"))
        list(inspection.anatomy(token, now=now))
        refused = [step for step in taken if step.verdict is inspection.Verdict.REFUSED]
        assert (answer.status_code == 401) is bool(refused), (answer.status_code, taken)
        assert all(step.words for step in taken)
        return not refused

    return ask


@BOTH
@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_what_the_app_accepts_is_accepted(agree, forged, name, kind):
    """The control for what follows."""
    assert agree(name, forged(way=name, kind=kind))


@BOTH
@pytest.mark.parametrize("changed", (ODD_CLAIMS | ODD_NAMES).values(), ids=(ODD_CLAIMS | ODD_NAMES).keys())
def test_odd_claims_are_odd_here_too(agree, forged, name, changed):
    """Of access tokens."""
    assert not agree(name, forged(**({"way": name} | changed)))


@BOTH
@pytest.mark.parametrize("changed", (ODD_CLAIMS | ODD_ENDS).values(), ids=(ODD_CLAIMS | ODD_ENDS).keys())
def test_odd_claims_of_refresh_tokens_are_odd_here_too(agree, forged, name, changed):
    """And of refresh tokens."""
    assert not agree(name, forged(**({"way": name, "kind": "refresh"} | changed)))


@BOTH
@pytest.mark.parametrize("header", ODD_HEADERS.values(), ids=ODD_HEADERS.keys())
def test_odd_headers_are_odd_here_too(agree, forged, name, header):
    """Whatever stands in them, nothing crashes."""
    assert not agree(name, forged(way=name, header=header))


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "a.b.c.d", "é.é.é", "\x1b[2J", "x" * 10_000])
def test_what_is_no_token_is_refused_here_too(agree, user, text):
    """And taken apart as far as it goes."""
    if text:
        assert not agree("jwt", text)
    assert inspection.Verdict.REFUSED in {
        step.verdict for step in inspection.steps(text, now=1, verifying="user")
    }


@pytest.mark.parametrize("name", ["jwt", "plain in headers"])
def test_what_was_revoked_is_refused_with_the_reason(agree, user, look, name):
    """Every end that a token can come to."""
    way = Way(name)
    short = name.split()[0]
    way.log_in()
    spent = way.refresh_token
    assert (agree(short, way.access), agree(short, spent)) == (True, True)
    way.refresh()
    assert (agree(short, spent), agree(short, way.refresh_token)) == (False, True)
    assert "this token of it is spent" in look(spent)[1]
    way.log_out()
    assert not agree(short, way.refresh_token)
    assert "revoked, ended by another sign-in" in look(way.refresh_token)[1]
    assert agree(short, way.access) is (short == "plain")
    way.log_in()
    User.objects.update(token_version=F("token_version") + 1)
    assert not agree(short, way.access)
    assert "the user's is 1: a new password, or out everywhere" in look(way.access)[1]
    User.objects.update(is_active=False)
    assert "the user is not active" in look(way.access)[1]
    user.delete()
    assert "there is no such user" in look(way.access)[1]


def test_without_a_database_nothing_is_asked_of_it(look, forged, django_assert_num_queries):
    """And it is said that nothing was."""
    token = forged(user_id="4711")
    with django_assert_num_queries(0):
        code, said = look(token, "--verify", "stateless")
    assert code == 0
    assert "mode `stateless`: what was revoked is good until it expires" in said
    assert look(token, "--verify", "user")[0] == 1


def test_the_verdict_is_the_exit_code(look, forged):
    """For scripts."""
    good, bad = look(forged()), look(forged(exp=1, iss="x"))
    assert (good[0], good[1].splitlines()[-1]) == (0, "Accepted.")
    assert (bad[0], bad[1].splitlines()[-1]) == (1, "Refused: exp, iss.")


def test_a_token_may_come_from_standard_input(look, forged, monkeypatch):
    """So that it is in no list of processes and in no history of a shell."""
    monkeypatch.setattr("sys.stdin", io.StringIO(forged() + "\n"))
    assert look("-")[0] == 0


def test_no_secret_is_printed(look, forged, settings):
    """Neither the key nor the token as a whole, which is as good as a password."""
    token = forged()
    said = look(token)[1]
    assert settings.JWT_KEYS.signing.signing.decode() not in said
    assert token not in said
    assert token.rpartition(".")[2] not in said


def test_nothing_of_a_token_moves_the_cursor(look, forge):
    """What stands in a token was written by anybody."""
    said = look(forge({"\x1b[2J": "\x1b[2J"}, header={"alg": "\x1b[2J", "kid": "\x1b[2J"}))[1]
    assert "\x1b" not in said


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_new_key_is_fit_to_start_with(look, algorithm):
    """And another one each time."""
    code, made = look("--new-key", algorithm)
    environment = {"DJANGO_JWT_KEYS": made, "DJANGO_JWT_ALGORITHM": algorithm}
    assert code == 0
    assert key_ring(environment, secret="x").signing.algorithm == algorithm
    assert [key["kid"] for key in json.loads(made)["keys"]] != [
        key["kid"] for key in json.loads(look("--new-key", algorithm)[1])["keys"]
    ]


def test_without_anything_to_do_it_says_what_it_takes():
    """Wrong usage is 2, as everywhere."""
    with pytest.raises(CommandError, match="Give a token, - to read it") as refused:
        call_command("jwt")
    assert refused.value.returncode == 2


def test_a_process_says_the_same(app_environment, forged):
    """Through the real front door."""
    environment = app_environment | {"DATABASE_URL": "sqlite:////nowhere/db.sqlite3"}
    ran = subprocess.run(
        [sys.executable, "manage.py", "jwt", "-", "--verify", "stateless"],
        cwd=APP,
        env=environment,
        input=forged(exp=1),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.endswith("Refused: exp.\n")
