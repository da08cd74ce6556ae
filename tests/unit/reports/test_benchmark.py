"""How fast the lab itself is, in the docs."""

import msgspec
import pytest

from serverlab.errors import UsageError
from serverlab.model.benchmarks import Benchmark, Bound
from serverlab.model.tables import Fact
from serverlab.reports.docs import render_docs

BENCHMARK = Benchmark(
    format=1,
    name="generator",
    title="The generator",
    facts=(Fact(label="Conditions", value="nginx, 32 connections"),),
    bounds=(
        Bound(
            what="over plain HttpUser", measured="2.10", limit="at least 1.5", kept=True, details="2.10, 2.20"
        ),
        Bound(what="recording", measured="7.0%", limit="at most 5%", kept=False),
        Bound(what="over wrk", measured="0.081", limit="", kept=None),
    ),
)
TABLE = """<!-- bench: results/generator.json -->
**The generator**

| what | measured | limit | kept |
| :-- | --: | --: | :-- |
| over plain HttpUser | 2.10 | at least 1.5 | yes |
| recording | 7.0% | at most 5% | **no** |
| over wrk | 0.081 | – | – |

- over plain HttpUser: 2.10, 2.20
- Conditions: nginx, 32 connections
<!-- /bench -->"""


@pytest.fixture
def page(tmp_path):
    (tmp_path / "results").mkdir()
    path = tmp_path / "page.md"
    path.write_text("<!-- bench: results/generator.json --><!-- /bench -->")
    return path


def test_each_bound_has_a_row_beside_its_limit(page, tmp_path):
    (tmp_path / "results/generator.json").write_bytes(msgspec.json.encode(BENCHMARK))
    render_docs([page], tmp_path)
    assert page.read_text() == TABLE


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read: No such file"), (b'{"format": 2}', "not what a benchmark writes")],
)
def test_what_no_benchmark_wrote_is_a_mistake(page, tmp_path, content, said):
    if content is not None:
        (tmp_path / "results/generator.json").write_bytes(content)
    with pytest.raises(UsageError, match=said):
        render_docs([page], tmp_path)


def test_a_benchmark_is_kept_when_no_limit_was_missed():
    assert not BENCHMARK.kept
    assert msgspec.structs.replace(BENCHMARK, bounds=BENCHMARK.bounds[::2]).kept
