"""Tables and figures between markers in Markdown files."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest

from serverlab import store
from serverlab.errors import UsageError
from serverlab.reports import render_docs, stale
from serverlab.reports.columns import COLUMNS
from serverlab.reports.results import Results
from tests.unit.broken import a_cell, a_fault_run

CLEAN = "results/quick/20261122-101500"
BUSY = "results/busy/20261122-101500"
COMPARED = "results/compared/20261122-101500"

SECTION = """\
<!-- table: results/busy/20261122-101500 columns=rps,ratio,p99 -->
**profile, 1 core**

| target | req/s | ratio [95 %] | p99 ms | notes |
| :-- | --: | --: | --: | :-- |
| gunicorn:gthread | 400 | reference | 60.0 | 1 |
| runserver:threaded | 300 | 0.80 [0.48–1.34] | 60.0 | 1,4,5 |
| uwsgi:http | 222 | 0.55 | – | 1,5,6,7 |
| apache:daemon | VOID | – | – |  |
| uwsgi:default | not run | – | – |  |
| daphne:production | n/a | – | – |  |
"""


def save(root, path, run):
    created = store.create_run(root / "made", plan=run.plan, environment=run.environment)
    for trial in run.trials:
        store.append_trial(created, trial)
    (root / path).parent.mkdir(parents=True)
    created.rename(root / path)


@pytest.fixture
def root(tmp_path, clean_run, busy_run, compared_run):
    save(tmp_path, CLEAN, clean_run)
    save(tmp_path, COMPARED, compared_run)
    save(tmp_path, BUSY, busy_run)
    return tmp_path


@pytest.fixture
def page(root):
    return root / "README.md"


def rendered(page, text):
    page.write_text(text, encoding="utf-8")
    render_docs([page], page.parent)
    return page.read_text(encoding="utf-8")


def mistakes(page, text):
    page.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        render_docs([page], page.parent)
    assert page.read_text(encoding="utf-8") == text
    return caught.value.what.splitlines()


def figure(**arguments):
    chosen = " ".join(f"{key}={value}" for key, value in arguments.items())
    return f"It made <!-- figure: {CLEAN} {chosen} -->?<!-- /figure --> there."


def test_a_table_is_rendered_with_the_columns_asked_for(page):
    text = rendered(
        page, f"Before\n\n<!-- table: {BUSY} columns=rps,ratio,p99 -->\nold\n<!-- /table -->\n\nAfter\n"
    )
    assert text.startswith(f"Before\n\n{SECTION}")
    assert text.endswith(" uwsgi 27.0.1\n<!-- /table -->\n\nAfter\n")


def test_a_table_has_its_conditions_void_trials_and_doubts_whatever_its_columns(page, snapshot):
    assert rendered(page, f"<!-- table: {BUSY} columns=p50 --><!-- /table -->") == snapshot


def test_a_broken_line_of_the_result_is_told_beside_the_table(page, root):
    with (root / CLEAN / "trials.jsonl").open("a") as file:
        file.write('{"planned": {"id": "r09"')
    text = rendered(page, f"<!-- table: {CLEAN} cpus=2 edge=none --><!-- /table -->")
    assert "\n- Problem: quick/20261122-101500/trials.jsonl, line 41: cut short or damaged" in text


def test_the_state_of_a_row_stands_in_the_first_column_whichever_that_is(page):
    text = rendered(page, f"<!-- table: {BUSY} columns=p50,rps --><!-- /table -->")
    assert "| apache:daemon | VOID | – |  |" in text


def test_a_table_without_keys_holds_all_sections_and_with_keys_those_that_fit(page):
    assert rendered(page, f"<!-- table: {CLEAN} --><!-- /table -->").count("**profile, ") == 4
    assert rendered(page, f"<!-- table: {CLEAN} cpus=2 --><!-- /table -->").count("**profile, 2 cores, ") == 2
    one = rendered(page, f"<!-- table: {CLEAN} workload=profile cpus=2 edge=none --><!-- /table -->")
    assert one.count("**profile, 2 cores, direct**") == 1


def test_compared_workloads_are_chosen_by_their_target(page):
    marker = f"<!-- table: {COMPARED} target=daphne:production columns=rps,queries --><!-- /table -->"
    text = rendered(page, marker)
    assert text.startswith(marker.removesuffix("<!-- /table -->"))
    assert text.count("**") == 2
    assert "| workload | req/s | queries /req | notes |\n" in text
    assert "| auth:session | 205 | 1 | 2 |\n" in text


def test_a_figure_of_a_compared_workload_names_target_and_workload(page):
    chosen = "target=gunicorn:gthread workload=auth:session value=ratio"
    text = f"It is <!-- figure: {COMPARED} {chosen} -->?<!-- /figure -->."
    assert "-->0.50 [0.48–0.51]<!--" in rendered(page, text)


def test_rendering_twice_changes_nothing(page):
    page.write_text(f"<!-- table: {CLEAN} cpus=2 --><!-- /table -->", encoding="utf-8")
    assert render_docs([page], page.parent) == [page]
    assert render_docs([page], page.parent) == []


def test_a_page_is_stale_until_it_is_rendered_and_stale_writes_nothing(page):
    before = figure(cpus=1, edge="none", target="runserver:threaded", value="rps")
    page.write_text(before, encoding="utf-8")
    assert stale([page], page.parent) == [page]
    assert page.read_text(encoding="utf-8") == before
    render_docs([page], page.parent)
    assert stale([page], page.parent) == []


def test_a_number_changed_by_hand_makes_the_page_stale(page):
    text = rendered(page, figure(cpus=1, edge="none", target="runserver:threaded", value="rps"))
    page.write_text(text.replace(">322<", ">999<"), encoding="utf-8")
    assert stale([page], page.parent) == [page]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"cpus": 1, "edge": "none", "target": "runserver:threaded", "value": "rps"}, "322"),
        ({"cpus": 1, "edge": "none", "target": "runserver:threaded", "value": "ratio"}, "0.80 [0.80–0.80]"),
        (
            {"cpus": 2, "edge": "nginx", "target": "gunicorn:gthread+nginx", "value": "scaling"},
            "1.90 [1.89–1.90]",
        ),
        ({"cpus": 2, "edge": "none", "target": "gunicorn:gthread", "value": "p99"}, "60.0"),
    ],
)
def test_a_figure_is_the_number_that_the_table_shows(page, arguments, shown):
    text = rendered(page, figure(workload="profile", **arguments))
    assert f"-->{shown}<!-- /figure --> there." in text


def test_several_figures_in_one_line_are_rendered_each(page):
    one = figure(cpus=1, edge="none", target="runserver:threaded", value="rps")
    text = rendered(page, f"{one} {one}")
    assert text.count(">322<") == 2


def test_a_marker_may_be_folded_over_lines(page):
    text = rendered(
        page,
        f"It made <!-- figure: {CLEAN}\n  cpus=1 edge=none\n"
        "  target=runserver:threaded value=rps\n-->?<!-- /figure -->.",
    )
    assert ">322<" in text


def test_markers_in_code_are_left_alone(page):
    text = (
        "```html\n<!-- table: results/none -->\n```\n\n"
        "~~~\n<!-- figure: x -->\n~~~\n\n"
        "Write `<!-- figure: results/... value=rps -->` there, or `<!-- /table -->`.\n"
    )
    assert rendered(page, text) == text


def test_pages_without_markers_need_no_results(tmp_path):
    page = tmp_path / "plain.md"
    page.write_text("# Plain\n", encoding="utf-8")
    assert render_docs([page], tmp_path) == []


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            f"\n\n<!-- table: {CLEAN} cpu=1 --><!-- /table -->",
            (
                "README.md, line 3: unknown key of a table marker 'cpu', did you mean 'cpus'? "
                "Known: workload, target, cpus, edge, columns"
            ),
        ),
        (
            f"<!-- table: {CLEAN} columns=rps,p98 --><!-- /table -->",
            (f"README.md, line 1: unknown column 'p98', did you mean 'p99'? Known: {', '.join(COLUMNS)}"),
        ),
        (
            "<!-- table: results/quick/never --><!-- /table -->",
            "README.md, line 1: results/quick/never: no such run",
        ),
        (
            "<!-- table: ../elsewhere --><!-- /table -->",
            "README.md, line 1: ../elsewhere: give the run's folder relative to the root of the repository",
        ),
        (
            "<!-- table: workload=ping --><!-- /table -->",
            "README.md, line 1: table marker: the run's folder must come first",
        ),
        (
            f"<!-- table: {CLEAN} workload=ping --><!-- /table -->",
            (
                f"README.md, line 1: {CLEAN}: no section workload=ping. There are: workload=profile cpus=1 edge=none; "
                "workload=profile cpus=1 edge=nginx; workload=profile cpus=2 edge=none; "
                "workload=profile cpus=2 edge=nginx"
            ),
        ),
        (
            f"<!-- table: {CLEAN} cpus=1 cpus=2 --><!-- /table -->",
            "README.md, line 1: table marker: 'cpus=2' is not KEY=VALUE, or there twice",
        ),
        (
            figure(cpus=1, edge="none", target="runserver:thread", value="rps"),
            (
                "README.md, line 1: unknown target in profile, 1 core, direct 'runserver:thread', "
                "did you mean 'runserver:threaded'? Known: gunicorn:gthread, runserver:threaded"
            ),
        ),
        (figure(cpus=1), "README.md, line 1: figure marker: target and value missing"),
        (
            figure(cpus=1, target="gunicorn:gthread", value="rps"),
            (
                f"README.md, line 1: {CLEAN}: a figure needs one section. "
                "These fit: workload=profile cpus=1 edge=none; workload=profile cpus=1 edge=nginx"
            ),
        ),
        (
            figure(cpus=1, edge="none", target="gunicorn:gthread", value="ratio"),
            "README.md, line 1: gunicorn:gthread has no ratio: it is the reference",
        ),
        (
            figure(cpus=1, edge="none", target="gunicorn:gthread", value="memory"),
            "README.md, line 1: gunicorn:gthread has no memory: it is absent in the table",
        ),
        (
            f"It is <!-- figure: {BUSY} target=apache:daemon value=rps -->?<!-- /figure -->",
            (
                "README.md, line 1: apache:daemon has no rps: it is void: container died: AH00526: |syntax| "
                "<Directory />; generator at 91 % CPU"
            ),
        ),
        (
            f"It is <!-- figure: {COMPARED} target=gunicorn:gthread value=rps -->?<!-- /figure -->",
            "README.md, line 1: figure marker: workload missing",
        ),
        (
            f"<!-- table: {CLEAN} target=gunicorn:gthread --><!-- /table -->",
            (
                f"README.md, line 1: {CLEAN}: no section target=gunicorn:gthread. There are: workload=profile cpus=1 "
                "edge=none; workload=profile cpus=1 edge=nginx; workload=profile cpus=2 edge=none; workload=profile "
                "cpus=2 edge=nginx"
            ),
        ),
        (
            f"<!-- table: {CLEAN} -->\n\nmore",
            "README.md, line 1: marker '<!-- table: ...' has no counterpart",
        ),
        ("text <!-- /figure -->", "README.md, line 1: marker '<!-- /figure -->' has no counterpart"),
        (
            "- " + figure(target="x", value="rps").removeprefix("It made "),
            "README.md, line 1: a figure must not begin a line, because Markdown would read the line as HTML",
        ),
    ],
)
def test_a_bad_marker_is_named_with_its_line_and_nothing_is_written(page, text, mistake):
    assert mistakes(page, text)[0] == mistake


def test_a_marker_that_is_not_closed_does_not_swallow_the_next(page):
    text = f"<!-- table: {CLEAN} -->\n\n<!-- table: {CLEAN} cpus=2 --><!-- /table -->"
    assert mistakes(page, text) == ["README.md, line 1: marker '<!-- table: ...' has no counterpart"]


def test_the_mistakes_of_all_pages_are_reported_together(page, root):
    other = root / "docs" / "method.md"
    other.parent.mkdir()
    other.write_text("\n\n\nx <!-- /figure -->", encoding="utf-8")
    page.write_text(
        "<!-- table: nowhere --><!-- /table --> <!-- table: elsewhere --><!-- /table -->", encoding="utf-8"
    )
    with pytest.raises(UsageError) as caught:
        stale([page, other], root)
    assert caught.value.what.splitlines() == [
        "README.md, line 1: nowhere: no such run",
        "README.md, line 1: elsewhere: no such run",
        "docs/method.md, line 4: marker '<!-- /figure -->' has no counterpart",
    ]
    assert caught.value.hint == "Mend the markers; no file was changed."


BROKEN = "results/faults/20261122-150000"


@pytest.fixture
def broken(tmp_path):
    run = a_fault_run([a_cell()])
    made = store.create_fault_run(tmp_path / "made", plan=run.plan, environment=run.environment)
    store.append_cell(made, a_cell())
    (tmp_path / BROKEN).parent.mkdir(parents=True)
    made.rename(tmp_path / BROKEN)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "link"),
    [("README.md", "docs/pictures/"), ("docs/a.md", "pictures/"), ("docs/b/c.md", "../pictures/")],
)
def test_a_timeline_is_a_picture_beside_its_numbers_wherever_the_page_is(broken, name, link):
    page = broken / name
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"<!-- timeline: {BROKEN} fault=F-01 target=gunicorn:gthread --><!-- /timeline -->")
    picture = broken / "docs/pictures/faults-20261122-101500-r01-F-01-gunicorn:gthread.svg"
    assert stale([page], broken) == [page, picture]
    render_docs([page], broken)
    lines = page.read_text().splitlines()
    assert lines[1] == f"![F-01 on gunicorn:gthread: worker killed]({link}{picture.name})"
    assert lines[5].startswith("| before | 2 |")
    assert picture.read_text().startswith("<svg ")
    assert stale([page], broken) == []


def test_a_timeline_of_a_repetition_that_was_not_tried_is_a_mistake(broken):
    marker = f"<!-- timeline: {BROKEN} fault=F-01 target=gunicorn:gthread repetition=2 --><!-- /timeline -->"
    assert mistakes(broken / "README.md", marker) == [
        f"README.md, line 1: {BROKEN}: no course of 'F-01' on 'gunicorn:gthread' in repetition 2"
    ]


@pytest.mark.parametrize(
    ("name", "link"),
    [("README.md", "docs/faults/"), ("docs/a.md", "faults/"), ("docs/servers/gunicorn.md", "../faults/")],
)
@pytest.mark.parametrize("keys", ["", " server=gunicorn", " server=gunicorn only=F-0"])
def test_failures_lead_to_the_page_of_each_fault_wherever_they_stand(broken, name, link, keys):
    page = broken / name
    page.parent.mkdir(parents=True, exist_ok=True)
    assert f"| [F-01]({link}F-01.md) |" in rendered_below(
        broken, page, f"<!-- failures: {BROKEN}{keys} --><!-- /failures -->"
    )


def test_the_whole_matrix_is_of_every_run_below_a_folder(broken, monkeypatch):
    monkeypatch.setattr(Results, "catalog", SimpleNamespace(targets=lambda: ["gunicorn:gthread"]))
    text = rendered_below(broken, broken / "docs.md", "<!-- matrix: results --><!-- /matrix -->")
    assert "| [F-01](docs/faults/F-01.md) | worker killed | ✓ 1 |" in text
    (broken / "empty").mkdir()
    assert mistakes(broken / "docs.md", "<!-- matrix: empty --><!-- /matrix -->") == [
        "docs.md, line 1: empty: no run with faults below it"
    ]


def rendered_below(root, page, text):
    page.write_text(text, encoding="utf-8")
    render_docs([page], root)
    return page.read_text(encoding="utf-8")


def test_a_server_that_no_run_has_is_a_mistake(broken):
    marker = f"<!-- failures: {BROKEN} server=daphne --><!-- /failures -->"
    assert mistakes(broken / "README.md", marker) == [
        (
            "README.md, line 1: faults/20261122-101500: no target of 'daphne'. "
            "There are: gunicorn:gthread, runserver:threaded"
        )
    ]


def test_two_runs_of_the_same_stand_side_by_side(page):
    text = rendered(page, f"<!-- agreement: {BUSY} again={BUSY} -->\n<!-- /agreement -->\n")
    assert (
        "| profile, 1 core | runserver:threaded | 0.80 \\[0.48–1.34\\] | 0.80 \\[0.48–1.34\\] | yes |" in text
    )


def test_what_differs_between_two_runs_of_the_same_is_named(page, busy_run):
    again = "results/again/20261122-101500"
    plan = msgspec.structs.replace(busy_run.plan, hashes=busy_run.plan.hashes | {"experiment": "f" * 64})
    save(page.parent, again, msgspec.structs.replace(busy_run, plan=plan))
    text = rendered(page, f"<!-- agreement: {BUSY} again={again} -->\n<!-- /agreement -->\n")
    assert f"\n- files of experiment: {'e' * 12} → {'f' * 12}\n" in text


def test_two_runs_without_a_row_in_common_are_a_mistake(page):
    said = mistakes(page, f"<!-- agreement: {BUSY} again={COMPARED} -->\n<!-- /agreement -->\n")
    assert said == [f"README.md, line 1: {BUSY}, {COMPARED}: no row has an interval in both"]
