"""The pages that people read name what there is, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT

CATALOG = load_catalog(CHECKOUT)
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?://)(?P<file>[^)#\s]*)(?:#(?P<heading>[^)\s]*))?\)")
PAGES = [
    *sorted(CHECKOUT.glob("*.md")),
    *sorted(CHECKOUT.glob("docs/**/*.md")),
    CHECKOUT / "compose/README.md",
]


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them in links."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", [*CATALOG.servers, *CATALOG.edges])
def test_every_server_and_edge_has_its_section(name: str) -> None:
    kind = "server" if name in CATALOG.servers else "edge"
    assert f"<!-- definition: {kind} {name} -->" in (CHECKOUT / "docs/servers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CATALOG.workloads)
def test_every_workload_has_its_section(name: str) -> None:
    assert f"<!-- definition: workload {name} -->" in (CHECKOUT / "docs/workloads.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    for link in LINK.finditer(prose(page)):
        target = page.parent / link["file"] if link["file"] else page
        assert target.exists(), link[0]
        assert not link["heading"] or link["heading"] in anchors(target), link[0]


def test_every_make_target_is_in_the_readme() -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    shown = set(re.findall(r"^([a-z]+):[^#\n]*## ", makefile, re.MULTILINE)) - {"help"}
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert [verb for verb in sorted(shown) if f"| `{verb}` |" not in readme] == []


def test_every_decision_is_listed() -> None:
    folder = CHECKOUT / "docs/decisions"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    assert [each.name for each in sorted(folder.glob("0*.md")) if f"({each.name})" not in listed] == []
