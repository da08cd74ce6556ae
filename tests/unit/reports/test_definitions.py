"""What the docs say of definitions is rendered from them, and is found to be stale when they change."""

from __future__ import annotations

from pathlib import Path

import pytest

from serverlab.catalog import Catalog, load_catalog
from serverlab.errors import UsageError
from serverlab.model.tables import DoubtKind
from serverlab.reports import render_docs, stale
from serverlab.reports.definitions import render_definition

SERVER = """\
format = 1
title = "Example"
interface = "wsgi"
distribution = "example"
docs = "https://example.org/"
default_variant = "many"
capabilities = ["workers", "reload"]
[signals]
stop = "SIGTERM"
reload = "SIGHUP"
[identity]
server_header = ""
process = "^example"
[variants.many]
title = "some | workers"
track = "production"
command = ["run", "${LAB_WORKERS}"]
workers = { per_cpu = 2, extra = 1 }
threads = 4
[variants.copies]
title = "one per core"
track = "default"
command = ["run"]
workers = { extra = 1 }
threads = 0
replicas_per_cpu = 1
[variants.closing]
title = "keeps no connections"
track = "default"
command = ["run"]
workers = { extra = 1 }
threads = 1
keeps_connections = false
[variants.loops]
title = "event loops"
track = "production"
interface = "asgi"
capabilities = ["websocket"]
command = ["run"]
workers = { per_cpu = 1 }
threads = 0
[[settings]]
setting = "--workers"
why = "As the vendor says."
link = "https://example.org/workers"
variants = ["many"]
[[settings]]
setting = "log_level = off"
why = "For all alike."
link = "https://example.org/log"
"""

SERVER_SHOWN = """
- Documentation: <https://example.org/>
- Interface: WSGI, ASGI with `loops`; the version that is stated is that of example
- Capabilities: workers, reload, websocket with `loops`
- Signals: stop SIGTERM, reload SIGHUP

| target | track | what it is | workers | threads | speaks | runs |
| :-- | :-- | :-- | :-- | :-- | :-- | :-- |
| `example:many` (default) | production | some \\| workers | 2 x cores + 1 | 4 | http | `run ${LAB_WORKERS}` |
| `example:copies` | default | one per core | 1 | unbounded | http, 1 container per core, only behind an edge | `run` |
| `example:closing` | default | keeps no connections | 1 | 1 | http, closes kept connections silently | `run` |
| `example:loops` | production | event loops | cores | unbounded | http | `run` |

| setting | variants | why |
| :-- | :-- | :-- |
| --workers | many | As the vendor says. ([source](https://example.org/workers)) |
| log\\_level = off | all | For all alike. ([source](https://example.org/log)) |
"""

TARGETS_SHOWN = (
    "\n" + SERVER_SHOWN[SERVER_SHOWN.index("- Capabilities") : SERVER_SHOWN.index("\n| setting |")]
)

EDGE = """\
format = 1
title = "Front"
distribution = "front"
docs = "https://example.org/front"
protocols = ["http"]
capabilities = ["static", "tls"]
[signals]
stop = "SIGQUIT"
[identity]
server_header = "^front$"
process = "^front"
[[settings]]
setting = "workers 1"
why = "One core."
link = "https://example.org/front/workers"
"""

EDGE_SHOWN = """
- Documentation: <https://example.org/front>
- Passes on: http
- Capabilities: static, tls
- Signals: stop SIGQUIT

| setting | why |
| :-- | :-- |
| workers 1 | One core. ([source](https://example.org/front/workers)) |
"""

WORKLOAD = """\
format = 1
title = "Files"
description = "One file of 16 kB."
needs = ["static"]
arrival = "closed"
users = 8
think_time_ms = 5
warmup_s = 1.5
duration_s = 6.0
timeout_s = 10.0
[thresholds]
error_share = 0.001
p99_ms = 250
"""

WORKLOAD_SHOWN = """
One file of 16 kB.

- Load: closed, 8 users, 5 ms think time
- Times: 1.5 s warm-up, 6 s window, 10 s time-out
- Needs: static
- Doubted above: 0.10 % errors, p99 250 ms
"""

VARIANTS = """
[variants.plain]
title = "plain"
description = "As it comes."
[variants.known]
title = "known"
description = "With a | session."
app = { LAB_SESSION_STORE = "cache", LAB_JWT_VERIFY = "user" }
cache = "redis"
"""

VARIANTS_SHOWN = (
    WORKLOAD_SHOWN
    + """
| name | what it is | app |
| :-- | :-- | :-- |
| `files:plain` | As it comes. | as it is |
| `files:known` | With a \\| session. | LAB\\_SESSION\\_STORE=cache, LAB\\_JWT\\_VERIFY=user, cache in redis |
"""
)

EXPERIMENT = """\
format = 1
title = "Both"
question = "Is a copy as good?"
targets = ["example", "example:copies+front"]
workloads = ["files"]
reference = "example:many"
rounds = 3
cpus = [1, 2]
"""

EXPERIMENTS_SHOWN = """
| experiment | question | targets | workloads | cores | rounds | trials |
| :-- | :-- | :-- | :-- | :-- | :-- | :-- |
| `both` | Is a copy as good? | 2 | files | 1 and 2 | 3 | 6 |
"""


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "deploy/example/server.toml", SERVER)
    write(tmp_path, "deploy/front/edge.toml", EDGE)
    write(tmp_path, "loadtests/files/workload.toml", WORKLOAD)
    write(tmp_path, "loadtests/shared/__init__.py", "")
    write(tmp_path, "experiments/both.toml", EXPERIMENT)
    return tmp_path


@pytest.fixture
def catalog(root: Path) -> Catalog:
    return load_catalog(root)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("server example", SERVER_SHOWN),
        ("targets example", TARGETS_SHOWN),
        ("edge front", EDGE_SHOWN),
        ("workload files", WORKLOAD_SHOWN),
        ("experiments", EXPERIMENTS_SHOWN),
    ],
)
def test_a_definition_is_shown_as_its_file_says(catalog: Catalog, arguments: str, shown: str) -> None:
    assert render_definition(catalog, arguments) == shown


def test_the_variants_of_a_workload_are_shown_with_how_they_set_the_app(root: Path) -> None:
    write(root, "loadtests/files/workload.toml", WORKLOAD + VARIANTS)
    assert render_definition(load_catalog(root), "workload files") == VARIANTS_SHOWN


def test_an_experiment_that_compares_variants_is_shown_with_their_number(root: Path) -> None:
    write(root, "loadtests/files/workload.toml", WORKLOAD + VARIANTS)
    compared = EXPERIMENT.replace('workloads = ["files"]\nreference = "example:many"\n', "").replace(
        '"example", "example:copies+front"', '"example:copies+front"'
    )
    write(root, "experiments/both.toml", compared + '[comparisons]\n"files:plain" = ["files:known"]\n')
    shown = render_definition(load_catalog(root), "experiments").splitlines()
    assert shown[-1] == "| `both` | Is a copy as good? | 1 | files (2 variants) | 1 and 2 | 3 | 18 |"


def test_a_capability_is_shown_with_those_that_declare_it(catalog: Catalog) -> None:
    shown = render_definition(catalog, "capabilities").splitlines()
    assert "| reload | new code without dropping requests | example |" in shown
    assert "| static | serves static files itself | front |" in shown
    assert "| websocket | speaks WebSocket | example:loops |" in shown
    assert "| http2 | speaks HTTP/2 | none |" in shown


def test_every_doubt_is_shown_with_what_to_do(catalog: Catalog) -> None:
    shown = render_definition(catalog, "doubts")
    assert [kind.value for kind in DoubtKind if f"| `{kind.value}` |" not in shown] == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("server exmaple", "unknown server 'exmaple', did you mean 'example'?"),
        ("workload", "definition marker: 'workload' is not known"),
        ("doubts all", "definition marker: 'doubts all' is not known"),
        ("", "definition marker: '' is not known"),
    ],
)
def test_a_wrong_subject_or_name_is_refused(catalog: Catalog, arguments: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        render_definition(catalog, arguments)
    assert refused.value.what == complaint


def test_nothing_is_shown_of_definitions_with_mistakes(root: Path) -> None:
    write(root, "deploy/front/edge.toml", EDGE.replace("SIGQUIT", "quit"))
    with pytest.raises(
        UsageError, match=r"deploy/front/edge\.toml: signals\.stop: 'quit' is not a signal's name"
    ):
        render_definition(load_catalog(root), "doubts")


def test_a_page_is_stale_once_the_definition_changes(root: Path) -> None:
    page = root / "servers.md"
    page.write_text(
        "# Example\n\n<!-- definition: server example --><!-- /definition -->\n", encoding="utf-8"
    )
    assert render_docs([page], root) == [page]
    opening, closing = "<!-- definition: server example -->", "<!-- /definition -->"
    assert page.read_text(encoding="utf-8") == f"# Example\n\n{opening}{SERVER_SHOWN}{closing}\n"
    assert stale([page], root) == []
    write(root, "deploy/example/server.toml", SERVER.replace("SIGHUP", "SIGUSR2"))
    assert stale([page], root) == [page]


def test_a_marker_without_its_counterpart_is_a_mistake(root: Path) -> None:
    page = root / "servers.md"
    page.write_text("<!-- definition: server example -->\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"servers\.md, line 1: marker .* has no counterpart"):
        stale([page], root)
