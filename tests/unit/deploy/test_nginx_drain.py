"""deploy/nginx/drain.py: one replica goes out of nginx's configuration and comes back, and nginx goes by it."""

import importlib.util
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

NGINX = Path(__file__).resolve().parents[3] / "deploy" / "nginx"
ONE, TWO, THREE = "172.18.0.3", "172.18.0.4", "172.18.0.5"
KNOWN = {
    "app": [ONE, TWO],
    "serverlab-app-1": [ONE],
    "serverlab-app-2": [TWO],
    "db": ["172.18.0.9"],
    ONE: [ONE],
}


def loaded(name):
    spec = importlib.util.spec_from_file_location(f"nginx_{name}", NGINX / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def drain():
    """The script as a module of its own."""
    return loaded("drain")


@pytest.fixture(scope="module", params=["http", "uwsgi"])
def whole(request):
    """What start.py writes."""
    return loaded("start").rendered({"LAB_UPSTREAM": request.param, "LAB_REALTIME_ADDRESS": "realtime:8000"})


class FakeNginx:
    """A master, workers in a /proc of its own, and what a reload makes of them; `busy` says when the old ones end."""

    def __init__(self, drain, folder, text, workers=2):
        self.drain, self.state, self.proc = drain, folder / "state", folder / "proc"
        self.configurations, self.next_pid, self.stays, self.looks, self.busy = [], 10, False, 0, 0
        for each in (self.state, self.proc):
            each.mkdir()
        (self.state / "nginx.conf").write_text(text)
        (self.state / "nginx.pid").write_text("7\n")
        self.put(7, "nginx: master process /usr/sbin/nginx")
        for _ in range(workers):
            self.begin()

    @property
    def text(self):
        return (self.state / "nginx.conf").read_text()

    def put(self, pid, title):
        (self.proc / str(pid)).mkdir(exist_ok=True)
        (self.proc / str(pid) / "cmdline").write_bytes(title.encode() + bytes(9))

    def begin(self):
        self.put(self.next_pid, "nginx: worker process")
        self.next_pid += 1

    def kill(self, pid, number):
        assert (pid, number) == (7, signal.SIGHUP)
        self.configurations.append(self.text)
        if self.stays:
            return
        for old in self.drain.taking():
            self.put(old, "nginx: worker process is shutting down")
            self.begin()

    def sleep(self, _seconds):
        """Those on their way out have gone when they were looked for often enough."""
        self.looks += 1
        if self.looks >= self.busy:
            for pid, takes in self.drain.workers().items():
                if not takes:
                    (self.proc / str(pid) / "cmdline").unlink()


@pytest.fixture
def nginx(drain, whole, tmp_path, monkeypatch):
    nginx = FakeNginx(drain, tmp_path, whole)
    monkeypatch.setattr(drain, "STATE", nginx.state)
    monkeypatch.setattr(drain, "PROC", nginx.proc)
    monkeypatch.setattr(drain, "NGINX", "/bin/true")
    monkeypatch.setattr(drain, "RELOADED_WITHIN_S", 0.05)
    monkeypatch.setattr(drain, "BEYOND_TIMEOUT_S", 0.05)
    monkeypatch.setattr(drain, "os", SimpleNamespace(kill=nginx.kill, environ={"LAB_TIMEOUT": "0.05"}))
    monkeypatch.setattr(drain, "time", SimpleNamespace(monotonic=drain.time.monotonic, sleep=nginx.sleep))
    monkeypatch.setattr(drain, "addresses", KNOWN.__getitem__)
    return nginx


def upstream(text):
    block = text[text.index("upstream app {") :]
    lines = [line.strip() for line in block[: block.index("}")].splitlines()[1:]]
    return [line for line in lines if line.startswith(("server", "# out"))]


def test_one_that_is_out_is_in_no_line_and_all_else_stays(drain, nginx, whole, capsys):
    assert drain.main(["out", "serverlab-app-1"]) == 0
    assert upstream(nginx.text) == [
        f"# out: {ONE} of server app:8000 max_fails=0;",
        f"server {TWO}:8000 max_fails=0;",
    ]
    assert set(whole.splitlines()) - set(nginx.text.splitlines()) == {"        server app:8000 max_fails=0;"}
    assert capsys.readouterr().out == (
        f"serverlab-app-1 ({ONE}) is out, and nothing that it was asked is open\n"
    )


def test_what_comes_back_is_what_was_there_and_nginx_has_read_it(drain, nginx, whole):
    drain.main(["out", ONE])
    assert drain.main(["in"]) == 0
    assert nginx.text == nginx.configurations[-1] == whole
    assert len(nginx.configurations) == 2
    assert {path.name for path in nginx.state.iterdir()} == {"nginx.conf", "nginx.pid"}


def test_all_that_are_in_are_asked_for_anew(drain, nginx, whole):
    assert drain.main(["in"]) == 0
    assert nginx.configurations == [whole]


def test_it_is_over_when_the_last_worker_of_before_has_gone(drain, nginx):
    nginx.busy = 3
    assert drain.main(["out", "serverlab-app-1"]) == 0
    assert nginx.looks == 3
    assert set(drain.workers()) == {12, 13}


def test_workers_that_go_on_answering_are_told_and_the_same_words_wait_again(drain, nginx, capsys):
    nginx.busy = float("inf")
    assert drain.main(["out", "serverlab-app-1"]) == 1
    assert capsys.readouterr().err == "drain: after 0.1 s workers of before still answer somebody\n"
    nginx.busy = 0
    assert drain.main(["out", "serverlab-app-1"]) == 0
    assert len(nginx.configurations) == 1


def test_who_comes_back_is_not_waited_for_by_those_that_are_answered_still(drain, nginx):
    nginx.busy = float("inf")
    assert drain.main(["in"]) == 0
    assert nginx.looks == 0


def test_an_nginx_that_keeps_its_workers_is_told(drain, nginx, capsys):
    nginx.stays = True
    assert drain.main(["out", "serverlab-app-1"]) == 1
    assert capsys.readouterr().err == "drain: after 0.05 s nginx has no other workers; its log says why\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["out", "serverlab-app-2"], f"{ONE} is out; `in` first, one replica is out at a time"),
        ([], "nothing: must be `out REPLICA` or `in`"),
        (["out"], "out: must be `out REPLICA` or `in`"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence_and_changes_nothing(drain, nginx, capsys, words, said):
    drain.main(["out", "serverlab-app-1"])
    before = nginx.text
    assert drain.main(words) == 2
    assert capsys.readouterr().err == f"drain: {said}\n"
    assert (nginx.text, len(nginx.configurations)) == (before, 1)


@pytest.mark.parametrize(
    ("replica", "known", "said"),
    [
        ("db", [ONE, TWO], f"172.18.0.9: not of app, which is {ONE}, {TWO}"),
        (ONE, [ONE], f"{ONE} is the only one: nobody would be left to take its requests"),
    ],
)
def test_a_stranger_and_the_last_one_are_refused(
    drain, nginx, whole, monkeypatch, capsys, *, replica, known, said
):
    monkeypatch.setitem(KNOWN, "app", known)
    assert drain.main(["out", replica]) == 2
    assert capsys.readouterr().err == f"drain: {said}\n"
    assert (nginx.text, nginx.configurations) == (whole, [])


def test_of_three_two_stay(drain, whole, monkeypatch):
    monkeypatch.setattr(drain, "addresses", lambda _name: [ONE, TWO, THREE])
    text = drain.without(whole, [TWO])
    assert upstream(text)[1:] == [f"server {ONE}:8000 max_fails=0;", f"server {THREE}:8000 max_fails=0;"]
    assert drain.with_all(text) == whole


def test_what_the_line_says_beside_the_address_is_kept(drain, whole, monkeypatch):
    monkeypatch.setattr(drain, "addresses", lambda _name: ["fd00::3", "fd00::4"])
    changed = whole.replace("server app:8000 max_fails=0;", "server app:8000;")
    text = drain.without(changed, ["fd00::3"])
    assert upstream(text) == ["# out: fd00::3 of server app:8000;", "server [fd00::4]:8000;"]
    assert drain.with_all(text) == changed


def test_a_configuration_that_nginx_refuses_is_not_put_into_place(drain, nginx, whole, monkeypatch, capsys):
    refuses = nginx.proc / "nginx"
    refuses.write_text("#!/bin/sh\necho host not found in upstream >&2\nexit 1\n")
    refuses.chmod(0o755)
    monkeypatch.setattr(drain, "NGINX", str(refuses))
    assert drain.main(["in"]) == 2
    assert capsys.readouterr().err == (
        "drain: nginx refuses the configuration:\nhost not found in upstream\n"
    )
    assert (nginx.text, nginx.configurations) == (whole, [])
    assert {path.name for path in nginx.state.iterdir()} == {"nginx.conf", "nginx.pid"}


def test_a_name_that_nobody_knows_is_told():
    with pytest.raises(Exception, match=r"no-such-host\.invalid: "):
        loaded("drain").addresses("no-such-host.invalid")


def test_an_address_is_its_own():
    assert loaded("drain").addresses(ONE) == [ONE]


def test_the_image_has_it_where_the_lab_runs_it():
    dockerfile = (NGINX / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    (copied,) = [line.split() for line in dockerfile.splitlines() if "deploy/nginx/drain.py" in line]
    assert (copied[0], copied[-1]) == ("COPY", "/lab/")
