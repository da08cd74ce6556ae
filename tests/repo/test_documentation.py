"""What people read is complete, leads somewhere, and holds no number that a result file does not."""

import inspect
import re
import tomllib

import pytest

from serverlab import __version__, reports
from serverlab.cli.context import Context
from serverlab.cli.main import build
from serverlab.errors import Exit
from serverlab.reports.docs import KINDS

VERBS = sorted(name for name in build(Context()) if not name.startswith("-"))
LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?P<path>[^)#\s]+)?(?:#(?P<anchor>[^)\s]+))?\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
MARKER = re.compile(rf"<!--\s*(?:/\w+\s*-->|(?:{KINDS}):)")


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "docs/servers.md",
        "docs/method.md",
        "docs/workloads.md",
    ],
)
def test_the_pages_that_a_reader_looks_for_are_there(root, name):
    assert (root / name).is_file()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_for_itself_and_for_each_of_its_options(verb, capsys):
    build(Context())([verb, "--help"], exit_on_error=False)
    said = " ".join(capsys.readouterr().out.split())
    assert f"Usage: serverlab {verb}" in said
    function = build(Context())[verb].default_command
    described = re.findall(r"^(\w+)\n +\S", inspect.getdoc(function), re.MULTILINE)
    assert described == list(inspect.signature(function).parameters)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_in_the_readme_or_the_docs(documents, verb):
    said = "\n".join(
        text for name, text in documents.items() if name == "README.md" or name.startswith("docs/")
    )
    called = rf"(serverlab|make) {verb}\b"
    assert re.search(rf"`[^`\n]*{called}|^\s*(\.venv/bin/)?{called}|\| `{verb}` \|", said, re.MULTILINE)


def test_every_exit_code_is_documented(documents):
    said = "\n".join(documents.values())
    for code in Exit:
        assert re.search(rf"(^|[|`\s]){code.value}[`\s|]", said), code


def test_every_table_in_the_docs_is_what_its_result_file_renders(root):
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    assert reports.stale(pages, root) == []


def test_the_readme_shows_the_quick_run(documents):
    assert re.search(r"<!--\s*table:\s*results/reference/\S*quick", documents["README.md"])


def test_no_page_holds_a_place_that_is_still_to_be_filled(documents):
    left = []
    for name, text in documents.items():
        comments = re.findall(r"<!--.*?-->", CODE.sub("", text), re.DOTALL)
        left += [f"{name}: {each}" for each in comments if not MARKER.match(each)]
    assert left == []


def test_every_link_to_a_file_or_heading_leads_somewhere(root, documents):
    broken = []
    for name, text in documents.items():
        for link in LINK.finditer(FENCE.sub("", text)):
            path, anchor = link["path"], link["anchor"]
            if path and "://" in path:
                continue
            goal = (root / name).parent / path if path else root / name
            if not goal.exists() or (anchor and goal.suffix == ".md" and anchor not in anchors(goal)):
                broken.append(f"{name}: {link[0]}")
    assert broken == []


def anchors(page):
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ +(.+?)\s*$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_changelog_begins_with_this_version(documents):
    first = re.search(r"^## \[?v?(?P<name>[\w.]+)", documents["CHANGELOG.md"], re.MULTILINE)
    assert first
    assert first["name"] in (__version__, "Unreleased")


def test_the_oldest_python_is_the_same_everywhere(root, documents):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    oldest = project["project"]["requires-python"].removeprefix(">=")
    assert f"OLDEST_PYTHON = ({oldest.replace('.', ', ')})" in (root / "bootstrap.py").read_text(
        encoding="utf-8"
    )
    assert f"Python {oldest}" in documents["README.md"]
    assert project["tool"]["mypy"]["python_version"] == oldest
    assert project["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
