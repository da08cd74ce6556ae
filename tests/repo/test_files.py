"""Nothing in the repository names a machine, a registry, a secret or an unfinished thought."""

import ast
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from serverlab.cli.context import CHECKOUT
from serverlab.shell import HostShell

HERE = "tests/repo/test_files.py"
LARGEST_BYTES = 1 << 20
LARGEST_LINE_BYTES = 4 << 10  # on average over the trials of a run, whose number its question sets
LONGEST_LINES = {"src": 350, "app": 350, "loadtests": 350}

# Written in pieces, so that this file does not hold what it looks for.
REGISTRIES = [
    "pypi" + r"\.(?:org|python\.org)",
    "python" + r"hosted\.org",
    r"(?:deb|security|ftp[\w.]*|snapshot)\." + r"debian\.org",
    r"(?:archive|security)\." + r"ubuntu\.com",
    "registry" + r"[\w.-]*\.(?:org|io|com)",
    r"(?:ghcr|quay|gcr)\." + "io",
]
MACHINE_PATHS = [
    r"(?<![\w.$}~-])/" + rf"{name}/" for name in ("work", "root", r"home/[a-z]\w*", r"Users/\w+")
]
UNFINISHED = [rf"\b{word}\b" for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")]
SECRETS = ["-----BEGIN " + r"[A-Z ]*PRIVATE KEY", "AKIA" + r"[0-9A-Z]{16}", "ghp" + r"_\w{36}"]
PACKAGES = [r"https?://\S+\.(?:whl|tar\.gz|deb|rpm)\b"]


@pytest.fixture(scope="session")
def texts(files):
    """Every file that is text, by its path below the checkout."""
    found = {}
    for path in files:
        content = path.read_bytes()
        if b"\0" not in content:
            found[str(path.relative_to(CHECKOUT))] = content.decode("utf-8")
    return found


def places(texts, patterns):
    """Path, line number and text of each match."""
    wanted = re.compile("|".join(patterns))
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts.items()
        if name != HERE
        for number, line in enumerate(text.splitlines(), start=1)
        if wanted.search(line)
    ]


@pytest.mark.parametrize(
    "patterns",
    [REGISTRIES, MACHINE_PATHS, SECRETS, PACKAGES],
    ids=["registries", "machine paths", "secrets", "packages"],
)
def test_nothing_names_what_belongs_to_one_machine(texts, patterns):
    assert places(texts, patterns) == []


def test_nothing_is_left_to_be_done(texts):
    assert (
        places({name: text for name, text in texts.items() if not name.startswith("results/")}, UNFINISHED)
        == []
    )


def test_the_patterns_find_what_they_look_for():
    planted = {
        "a": "see https://" + "pypi" + ".org/simple",
        "b": "cd /" + "work/main",
        "c": "# TO" + "DO later",
        "d": "-----BEGIN " + "RSA PRIVATE KEY-----",
        "e": "https://example.com/files/x-1.0" + ".whl",
    }
    groups = (REGISTRIES, MACHINE_PATHS, UNFINISHED, SECRETS, PACKAGES)
    assert [len(places(planted, patterns)) for patterns in groups] == [1, 1, 1, 1, 1]
    assert places({"f": "deploy" + "/work" + "/x and ~" + "/home" + "/x and /homepage"}, MACHINE_PATHS) == []


def own_hosts():
    """Hosts of the package index and of the mirrors that this very machine uses."""
    told = HostShell().run([sys.executable, "-m", "pip", "config", "list"]).stdout
    apt = Path("/etc/apt")
    for path in [*apt.glob("sources.list"), *apt.glob("sources.list.d/*")]:
        told += path.read_text(encoding="utf-8")
    hosts = {urlsplit(url).hostname for url in re.findall(r"https?://[^\s'\"]+", told)}
    return sorted(host for host in hosts if host and host not in ("localhost", "127.0.0.1"))


def test_nothing_names_the_index_or_the_mirror_of_the_machine_it_is_tested_on(texts):
    hosts = [re.escape(host) for host in own_hosts()]
    assert not hosts or places(texts, hosts) == []


def largest_bytes(path):
    """What a file may have: a run of many trials as much as these need."""
    trials = path.read_bytes().count(b"\n") if path.name == "trials.jsonl" else 0
    return max(LARGEST_BYTES, trials * LARGEST_LINE_BYTES)


def test_files_are_small_enough_to_be_read(files):
    assert [path for path in files if path.stat().st_size > largest_bytes(path)] == []


def test_a_file_may_be_larger_only_by_the_number_of_its_trials(tmp_path):
    for name in ("trials.jsonl", "plan.json"):
        (tmp_path / name).write_bytes(b"{}\n" * 300)
    assert largest_bytes(tmp_path / "trials.jsonl") == 300 * LARGEST_LINE_BYTES
    assert largest_bytes(tmp_path / "plan.json") == LARGEST_BYTES
    (tmp_path / "trials.jsonl").write_bytes(b"{}\n" * 225)
    assert largest_bytes(tmp_path / "trials.jsonl") == LARGEST_BYTES


def test_python_files_stay_of_one_piece(texts):
    long = {
        name: len(text.splitlines())
        for name, text in texts.items()
        if name.endswith(".py") and len(text.splitlines()) > LONGEST_LINES.get(name.split("/")[0], 500)
    }
    assert long == {}


def test_functions_are_no_longer_than_fifty_lines(texts):
    long = []
    for name, text in texts.items():
        if name.endswith(".py") and not name.startswith("tests/"):
            nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
            long += [f"{name}: {node.name}" for node in nodes if body_lines(node) > 50]
    assert long == []


def body_lines(function):
    """Lines of code, without the docstring."""
    documented = ast.get_docstring(function) is not None
    body = function.body[1:] if documented and len(function.body) > 1 else function.body
    return function.end_lineno - body[0].lineno + 1


def test_text_ends_with_a_newline_and_has_no_carriage_returns_or_tabs_before_it(texts):
    wrong = [name for name, text in texts.items() if text and (not text.endswith("\n") or "\r" in text)]
    assert [name for name in wrong if not name.endswith(".py.typed")] == []


def test_scripts_can_be_executed_and_nothing_else_can(root, texts):
    scripts = {name for name, text in texts.items() if text.startswith("#!")}
    executable = {name for name in texts if (root / name).stat().st_mode & 0o100}
    assert executable == scripts


def test_the_app_and_the_lab_know_nothing_of_each_other(texts):
    imports = {
        name: set(re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE))
        for name, text in texts.items()
    }
    assert [name for name, each in imports.items() if name.startswith("app/") and "serverlab" in each] == []
    django = {"django", "rest_framework", "accounts", "catalogue", "config"}
    assert [name for name, each in imports.items() if name.startswith("src/") and django & each] == []


def test_results_are_kept_out_except_the_reference_runs(root):
    shell = HostShell()
    ignored = shell.run(
        ["git", "check-ignore", "results/quick/1/plan.json", "results/reference/quick/1/plan.json"], cwd=root
    )
    assert ignored.stdout.split() == ["results/quick/1/plan.json"]


def test_the_licence_is_the_one_that_the_package_states(root):
    assert (root / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert 'license = "MIT"' in (root / "pyproject.toml").read_text(encoding="utf-8")
