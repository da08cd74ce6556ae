"""What a Dockerfile takes from its context, and what a change of it does to the hash."""

import pytest

from serverlab import buildcontext

DOCKERFILE = """\
FROM ${APP_IMAGE} AS builder
# COPY ghosts/ /
COPY --chown=1:1 app/ deploy/x/server.toml /lab/
COPY --from=builder /wheels /wheels
RUN --mount=type=secret,id=ca \\
    # a remark in between
    --mount=type=bind,source=requirements,target=/requirements \\
    --mount=type=bind,from=builder,source=/out,target=/out \\
    pip install -r /requirements/x.txt -r /requirements/build.txt
"""


def checkout(tmp_path, **files):
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def names(root, dockerfile):
    return [path.relative_to(root).as_posix() for path in buildcontext.files_of(root, dockerfile)]


def test_copied_and_mounted_paths_are_found_and_those_of_other_stages_are_not():
    assert buildcontext.taken_paths(DOCKERFILE) == (
        "app",
        "deploy/x/server.toml",
        "requirements/build.txt",
        "requirements/x.txt",
    )


def test_a_mounted_folder_of_which_nothing_is_named_counts_as_a_whole():
    assert buildcontext.taken_paths("RUN --mount=type=bind,source=app,target=/app make") == ("app",)


@pytest.mark.parametrize("source", [".", "./"])
def test_the_whole_context_is_the_empty_path(source):
    assert buildcontext.taken_paths(f"COPY {source} /app") == ("",)


def test_folders_are_walked_and_patterns_expanded(tmp_path):
    root = checkout(tmp_path, app__aDOTpy="a", app__sub__bDOTpy="b", aDOTconf="", bDOTconf="", cDOTtxt="")
    assert names(root, "COPY app *.conf /x/") == ["a.conf", "app/a.py", "app/sub/b.py", "b.conf"]


def test_what_dockerignore_keeps_out_does_not_count(tmp_path):
    root = checkout(
        tmp_path,
        DOTdockerignore="# allow-list\n*\n!app/\n**/__pycache__\n**/*.py[co]\n**/.[a-z]*\napp/**/*.sqlite3*\napp/out\n",
        app__aDOTpy="",
        app__aDOTpyc="",
        app__DOTenv="secret",
        app__dbDOTsqlite3="",
        app__out__x="",
        app__sub__bDOTpy="",
        results__x="",
    )
    assert names(root, "COPY . /x/") == ["app/a.py", "app/sub/b.py"]


def test_the_last_matching_rule_decides():
    rules = buildcontext.read_rules("*\n!docs\ndocs/*.md\n!docs/README.md\n")
    kept = [
        path
        for path in ("a", "docs/x.txt", "docs/x.md", "docs/README.md")
        if not buildcontext.is_ignored(path, rules)
    ]
    assert kept == ["docs/x.txt", "docs/README.md"]


def test_one_star_stays_within_a_folder():
    rules = buildcontext.read_rules("app/*.txt\n")
    assert buildcontext.is_ignored("app/x.txt", rules)
    assert not buildcontext.is_ignored("app/sub/x.txt", rules)


@pytest.mark.parametrize("change", ["content", "name", "mode", "another file"])
def test_the_hash_changes_with_what_an_image_would_see(tmp_path, change):
    root = checkout(tmp_path, app__x="1")
    before = buildcontext.hash_of(root, buildcontext.files_of(root, "COPY app /app"))
    path = root / "app/x"
    if change == "content":
        path.write_text("2")
    elif change == "name":
        path.rename(root / "app/y")
    elif change == "mode":
        path.chmod(0o755)
    else:
        (root / "app/z").write_text("")
    assert buildcontext.hash_of(root, buildcontext.files_of(root, "COPY app /app")) != before


def test_the_hash_stays_when_a_file_is_only_touched(tmp_path):
    root = checkout(tmp_path, app__x="1")
    before = buildcontext.hash_of(root, buildcontext.files_of(root, "COPY app /app"))
    (root / "app/x").touch()
    assert buildcontext.hash_of(root, buildcontext.files_of(root, "COPY app /app")) == before
