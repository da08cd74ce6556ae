"""The pages that people read name what there is."""

from __future__ import annotations

import re

import pytest

from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT

CATALOG = load_catalog(CHECKOUT)


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
