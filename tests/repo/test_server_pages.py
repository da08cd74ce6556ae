"""Each server has a page of its own, and what it shows is what was published."""

from __future__ import annotations

import re

import pytest

from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.store.layout import FAULT_PLAN

SERVERS = tuple(load_catalog(CHECKOUT).servers)
TABLES = {"failures": "failures", "http": "http", "attacks": "security"}
"""The kinds of markers that a page has for its server, and the pages that hold the whole tables."""


def text_of(page: str) -> str:
    return (CHECKOUT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_has_a_page_that_leads_to_what_is_known_of_it(name: str) -> None:
    page = text_of(f"docs/servers/{name}.md")
    wanted = [
        f"<!-- definition: targets {name} -->",
        f"](../../deploy/{name}/",
        *(f"](../{each}.md" for each in ("servers", "failures", "http", "security", "deploys", "findings")),
    ]
    assert [each for each in wanted if each not in page] == []
    assert f"](servers/{name}.md)" in text_of("docs/servers.md")
    assert f"]({name}.md)" in text_of("docs/servers/README.md")


def runs_of_the_matrix(page: str) -> set[str]:
    """The runs with faults below the folders whose matrix the page shows, relative to the checkout."""
    folders = re.findall(r"<!-- matrix: (\S+) -->", page)
    found = (file for folder in folders for file in (CHECKOUT / folder).glob(f"**/{FAULT_PLAN}"))
    return {str(file.parent.relative_to(CHECKOUT)) for file in found}


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("kind", TABLES)
def test_the_page_of_a_server_shows_the_runs_that_the_whole_table_is_made_of(kind: str, name: str) -> None:
    runs = rf"<!-- {kind}: (\S+) (?:\S+ )*"
    whole = text_of(f"docs/{TABLES[kind]}.md")
    own = set(re.findall(rf"{runs}server={name} -->", text_of(f"docs/servers/{name}.md")))
    assert own <= {*re.findall(rf"{runs}-->", whole), *runs_of_the_matrix(whole)}
    assert own or f"{name}:" not in whole, "it was tried, and its page does not show it"
