"""What markers ask of the results for one server alone."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from serverlab.analysis.security import security_table
from serverlab.errors import UsageError
from serverlab.model.framing import Differential
from serverlab.model.security import SecurityTable
from serverlab.reports.markers import render_marker
from serverlab.reports.results import Results
from tests.unit.attacks.records import a_finding, a_server, an_assault
from tests.unit.framing.records import a_differential, a_framed, an_answer


class TwoServers(Results):
    """Runs in which Gunicorn and runserver were asked, whatever the folder."""

    def differential(self, path: str) -> Differential:
        return a_differential(
            a_framed(an_answer()), a_framed(an_answer(), target="runserver:threaded"), name=path
        )

    def security(self, path: str, server: str | None = None) -> SecurityTable:
        found = a_finding(), a_finding(target="runserver:default")
        return security_table(an_assault(*found), {"gunicorn": a_server(), "runserver": a_server()}, server)


def shown(kind: str, arguments: str) -> str:
    return render_marker(
        TwoServers(Path("nowhere")), kind=kind, arguments=arguments, folder=PurePosixPath("docs/servers")
    )


def test_what_was_made_again_is_compared_for_that_server_too() -> None:
    text = shown("http", "http/1 again=http/2 server=gunicorn")
    assert "runserver" not in text
    assert text.endswith("\nRun `http/2`, made again: every form on every target was answered alike.\n")


def test_attacks_are_those_on_that_server() -> None:
    text = shown("attacks", "attacks/1 server=runserver")
    assert "| runserver:default | 1 | 0 | 0 | 0 | 0 |" in text
    assert "gunicorn" not in text


@pytest.mark.parametrize(
    ("kind", "mistake"), [("http", "http/1: no target of 'daphne'"), ("attacks", "no attack ''")]
)
def test_a_server_that_was_not_asked_is_a_mistake(kind: str, mistake: str) -> None:
    with pytest.raises(UsageError, match=mistake):
        shown(kind, f"{kind}/1 server=daphne")


@pytest.mark.parametrize("kind", ["fault", "table", "timeline", "measured"])
def test_other_markers_know_no_server(kind: str) -> None:
    with pytest.raises(UsageError, match=f"unknown key of a {kind} marker 'server'"):
        shown(kind, "run server=gunicorn")
