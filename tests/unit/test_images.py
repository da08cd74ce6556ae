"""Which images are built, in which order, with what; and which are left alone."""

import json
import sys

import pytest

from serverlab.base import DEFAULT_BASE
from serverlab.errors import CommandFailed, EnvironmentLacks, UsageError
from serverlab.images import ImageSource, ensure_images, find_sources, inputs_hash
from serverlab.model.records import ImageFacts
from tests.fakes import NO, Answer, FakeShell

FILES = {
    "app/Dockerfile": "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY app/ /app/\n",
    "app/manage.py": "manage",
    "deploy/gunicorn/Dockerfile": "ARG APP_IMAGE\nFROM ${APP_IMAGE}\nCOPY deploy/gunicorn/server.toml /lab/\n",
    "deploy/gunicorn/server.toml": "gunicorn",
    "deploy/nginx/Dockerfile": "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY deploy/nginx/edge.toml /lab/\n",
    "deploy/nginx/edge.toml": "nginx",
    "compose/postgres/Dockerfile": "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n",
    "loadtests/Dockerfile": "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY loadtests/ /loadtests/\n",
}


class FakeEngine(FakeShell):
    """An engine that remembers the images it has built."""

    def __init__(self, **more):
        self.images = {DEFAULT_BASE: ("sha256:base", {})}
        self.counter = 0
        script = {
            "docker image inspect": Answer(),
            "docker image rm": Answer(),
            "docker context show": Answer(stdout="desktop\n"),
            sys.executable: Answer(),
            "docker buildx build": Answer(stderr="#1 building\n", does=self.build),
        }
        super().__init__(script | {name.replace("_", " "): answer for name, answer in more.items()})

    def _answer(self, said):
        if said.startswith("docker image inspect"):
            tags = [tag for tag in said.split()[3:] if tag in self.images]
            return Answer(
                stdout=json.dumps([self.image(tag) for tag in tags]),
                returncode=int(
                    not all(word in tags for word in said.split()[3:] if not word.startswith(("-", "{")))
                ),
            )
        return super()._answer(said)

    def image(self, tag):
        identity, labels = self.images[tag]
        return {"Id": identity, "RepoTags": [tag], "Size": 1000, "Config": {"Labels": labels}}

    def build(self, argv):
        self.counter += 1
        tag = next(word for word in argv if word.startswith("--tag=")).removeprefix("--tag=")
        labels = dict(
            word.removeprefix("--label=").split("=", 1) for word in argv if word.startswith("--label=")
        )
        self.images[tag] = (f"sha256:{self.counter}", labels)

    @property
    def built(self):
        return [
            call.split("--tag=serverlab/")[1].split(":")[0] for call in self.calls if "buildx build" in call
        ]


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def ensure(shell, root, names=None, **environment):
    said = []
    facts = ensure_images(shell, root, said.append, names=names, environment=environment)
    return facts, said


def test_the_app_comes_first_and_everything_in_deploy_is_an_image(root):
    assert list(find_sources(root)) == ["app", "gunicorn", "nginx", "postgres", "load"]
    assert find_sources(root)["gunicorn"] == ImageSource("gunicorn", "deploy/gunicorn/Dockerfile")


def test_on_a_fresh_machine_every_image_is_built_in_order(root):
    shell = FakeEngine()
    facts, said = ensure(shell, root)
    assert shell.built == ["app", "gunicorn", "nginx", "postgres", "load"]
    assert facts["app"] == ImageFacts(id="sha256:1", size_bytes=1000)
    assert list(facts) == shell.built
    assert said[0] == "image 1/5 app: building ..."


def test_a_second_call_builds_nothing_and_asks_the_engine_twice(root):
    shell = FakeEngine()
    first, _ = ensure(shell, root)
    shell.calls.clear()
    second, said = ensure(shell, root)
    assert (shell.built, second, said, len(shell.calls)) == ([], first, [], 2)


def test_a_change_of_one_server_rebuilds_only_that(root):
    shell = FakeEngine()
    ensure(shell, root)
    shell.calls.clear()
    (root / "deploy/gunicorn/server.toml").write_text("changed")
    ensure(shell, root)
    assert shell.built == ["gunicorn"]


def test_a_change_of_the_app_rebuilds_what_is_built_from_it(root):
    shell = FakeEngine()
    ensure(shell, root)
    shell.calls.clear()
    (root / "app/manage.py").write_text("changed")
    ensure(shell, root)
    assert shell.built == ["app", "gunicorn"]


def test_another_base_rebuilds_everything(root):
    shell = FakeEngine()
    ensure(shell, root)
    shell.calls.clear()
    shell.images[DEFAULT_BASE] = ("sha256:newer", {})
    ensure(shell, root)
    assert shell.built == ["app", "gunicorn", "nginx", "postgres", "load"]


def test_the_image_that_is_replaced_is_removed(root):
    shell = FakeEngine()
    ensure(shell, root)
    (root / "deploy/gunicorn/server.toml").write_text("changed")
    ensure(shell, root)
    assert [call for call in shell.calls if "image rm" in call] == ["docker image rm sha256:2"]


def test_only_the_named_images_and_the_app_are_built(root):
    shell = FakeEngine()
    facts, _ = ensure(shell, root, names=["gunicorn"])
    assert list(facts) == shell.built == ["app", "gunicorn"]


def test_an_unknown_name_lists_the_known_ones(root):
    with pytest.raises(UsageError) as caught:
        ensure(FakeEngine(), root, names=["gnicorn"])
    assert str(caught.value) == ("No such image: gnicorn.\nThere are: app, gunicorn, nginx, postgres, load.")


def test_every_build_is_labelled_and_told_its_parents_and_never_uses_a_builder_that_cannot_see_them(root):
    shell = FakeEngine()
    ensure(shell, root, names=["gunicorn"])
    build = next(call for call in shell.calls if "--tag=serverlab/gunicorn:dev" in call)
    for part in (
        "--builder=desktop",
        "--load",
        "--file=deploy/gunicorn/Dockerfile",
        "--label=org.serverlab=image",
        "--label=org.serverlab.inputs=",
        f"--build-arg=BASE_IMAGE={DEFAULT_BASE}",
        "--build-arg=APP_IMAGE=serverlab/app:dev",
    ):
        assert f" {part}" in build
    assert build.endswith(" .")


def test_the_log_of_a_build_is_kept(root):
    ensure(FakeEngine(), root, names=["gunicorn"])
    assert (root / "results/logs/build-gunicorn.log").read_text() == "#1 building\n"


def test_a_failing_build_tells_its_last_lines_and_where_the_log_is(root):
    lines = "\n".join(f"#9 line {number}" for number in range(60))
    shell = FakeEngine(docker_buildx_build=Answer(returncode=1, stderr=f"{lines}\nERROR: exit code: 2\n"))
    with pytest.raises(CommandFailed) as caught:
        ensure(shell, root)
    assert caught.value.what.splitlines()[0].startswith("The image app (app/Dockerfile) could not be built")
    assert caught.value.what.splitlines()[1:3] == ["  | #9 line 11", "  | #9 line 12"]
    assert caught.value.what.splitlines()[-1] == "  | ERROR: exit code: 2"
    assert caught.value.hint == f"The whole log is {root}/results/logs/build-app.log."


SILENT = "#9 12.3 WARNING: Retrying: Connection to index.invalid timed out. (connect timeout=15)"


@pytest.mark.parametrize("ends", [Answer(stderr=SILENT, hangs=True), Answer(stderr=SILENT, returncode=1)])
def test_a_build_that_waits_for_a_registry_ends_in_time_and_names_the_cause(root, ends):
    with pytest.raises(CommandFailed) as caught:
        ensure(FakeEngine(docker_buildx_build=ends), root)
    assert caught.value.what.startswith("The image app (app/Dockerfile) could not be built: ")
    assert caught.value.hint == (
        f"A registry or package index is unreachable from the build ({SILENT}); see docs/troubleshooting.md.\n"
        f"The whole log is {root}/results/logs/build-app.log."
    )


def test_every_build_has_a_time_limit(root):
    with pytest.raises(CommandFailed, match="did not end within 1200 s"):
        ensure(FakeEngine(docker_buildx_build=Answer(hangs=True)), root)


def test_with_somebody_to_tell_the_images_that_can_be_built_are(root):
    failed = []
    shell = FakeEngine(
        **{"docker_buildx_build_--builder=desktop_--load_--progress=plain_--file=deploy/gunicorn": NO}
    )
    built = ensure_images(
        shell,
        root,
        lambda _line: None,
        environment={},
        on_failure=lambda name, why: failed.append((name, why.what)),
    )
    assert sorted(built) == ["app", "load", "nginx", "postgres"]
    assert failed == [
        (
            "gunicorn",
            "The image gunicorn (deploy/gunicorn/Dockerfile) could not be built: failed with exit code 1\n  | no",
        )
    ]


def test_without_the_app_there_are_no_servers_to_go_on_with(root):
    with pytest.raises(CommandFailed, match="The image app"):
        ensure_images(
            FakeEngine(docker_buildx_build=NO),
            root,
            lambda _line: None,
            environment={},
            on_failure=lambda *_: pytest.fail("it goes on"),
        )


def test_an_image_made_by_hand_is_built_again_because_nobody_knows_from_what(root):
    shell = FakeEngine()
    shell.images["serverlab/app:dev"] = ("sha256:by-hand", {})
    ensure(shell, root, names=["app"])
    assert shell.built == ["app"]


def test_parents_that_a_dockerfile_does_not_use_do_not_count(root):
    nginx = find_sources(root)["nginx"]
    arguments = {"BASE_IMAGE": "base", "APP_IMAGE": "app"}
    hashes = {
        inputs_hash(root, nginx, arguments=arguments, parent_ids={"base": "sha256:1", "app": app})
        for app in ("sha256:2", "sha256:3")
    }
    assert len(hashes) == 1


def test_without_a_base_image_nothing_is_built(root):
    shell = FakeEngine(docker_pull=NO)
    shell.images.clear()
    with pytest.raises(EnvironmentLacks, match="mine:1 is not here"):
        ensure(shell, root, BASE_IMAGE="mine:1")
    assert shell.built == []
