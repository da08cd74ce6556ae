"""The pages that people read name what there is."""

from __future__ import annotations

import re

import pytest

from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.faults import FAULTS

CATALOG = load_catalog(CHECKOUT)
FAULT_PAGES = CHECKOUT / "docs/faults"
BASE_ID = re.compile(r"[FS]-\d+")
"""What faults that are variants of each other have in common: F-35 of F-35 and F-35m."""


@pytest.mark.parametrize("name", [*CATALOG.servers, *CATALOG.edges])
def test_every_server_and_edge_has_its_section(name: str) -> None:
    kind = "server" if name in CATALOG.servers else "edge"
    assert f"<!-- definition: {kind} {name} -->" in (CHECKOUT / "docs/servers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CATALOG.workloads)
def test_every_workload_has_its_section(name: str) -> None:
    assert f"<!-- definition: workload {name} -->" in (CHECKOUT / "docs/workloads.md").read_text(
        encoding="utf-8"
    )


def test_every_make_target_is_in_the_readme() -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    shown = set(re.findall(r"^([a-z]+):[^#\n]*## ", makefile, re.MULTILINE)) - {"help"}
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert [verb for verb in sorted(shown) if f"| `{verb}` |" not in readme] == []


def test_every_decision_is_listed() -> None:
    folder = CHECKOUT / "docs/decisions"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    assert [each.name for each in sorted(folder.glob("0*.md")) if f"({each.name})" not in listed] == []


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_told_on_the_page_of_its_base_id(name: str) -> None:
    base = BASE_ID.match(name)
    assert base
    text = (FAULT_PAGES / f"{base[0]}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {base[0]}: ")
    assert re.search(rf"(?<![\w-]){name}(?![\w-])", text)


def test_every_page_of_a_fault_is_that_of_one_that_there_is() -> None:
    bases = {base[0] for name in FAULTS if (base := BASE_ID.match(name))}
    pages = sorted(page.name for page in FAULT_PAGES.iterdir())
    assert [page for page in pages if page.removesuffix(".md") not in bases] == []
