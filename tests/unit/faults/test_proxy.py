"""The fault proxy's client and the faults that it does, on a live proxy over loopback."""

import asyncio
import contextlib
import re
import socket
import threading
from types import SimpleNamespace

import pytest

from serverlab.cli.context import CHECKOUT
from serverlab.compose import Database, Engine, StackSettings
from serverlab.errors import TrialFailed
from serverlab.faults import fault as fault_module
from serverlab.faults import proxy as proxy_module
from serverlab.faults.fault import NotEffective, Scene
from serverlab.faults.proxy import FaultProxy, Toxic, Traffic, proxy_of
from serverlab.faults.toxics import Down, Poisoned
from serverlab.model.definitions import Protocol, Target
from serverlab.model.records import CoreSplit
from serverlab.model.stacks import Proxied
from tests.fake_engine import FakeClient
from tests.fault_proxy import live

SLOW = Toxic("latency", attributes={"latency": 1})


def settings_of(name, proxied):
    return StackSettings(
        target=Target.parse(name),
        protocol=Protocol.HTTP,
        cpus=1,
        replicas=1,
        split=CoreSplit(stack="0", generator="1", disjoint=True),
        label="unit",
        proxied=proxied,
    )


@pytest.fixture
def echo():
    """The port of a server that says everything back."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=said_back, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def said_back(connection):
    with connection, contextlib.suppress(OSError):
        while data := connection.recv(4096):
            connection.sendall(data)


@pytest.fixture
def way(echo):
    """A live proxy ``app`` in front of the echo."""
    with live() as found:
        proxy = found.do(found.proxies.make("app", listen="127.0.0.1:0", upstream=f"127.0.0.1:{echo}"))
        yield SimpleNamespace(api=found.port, port=int(proxy.listen.rpartition(":")[2]), made=proxy)


@pytest.fixture
def proxy(way):
    return FaultProxy(f"http://127.0.0.1:{way.api}", "app")


@pytest.fixture
def scene(way):
    """A stack whose edge asks its app through the live proxy; nothing else of it is there."""
    client = FakeClient()
    client.add("faultproxy", ports={8474: way.api})
    measured, notes = {}, []
    expected = SimpleNamespace(
        settings=settings_of("gunicorn:gthread+nginx", Proxied.UPSTREAM), edge=object(), server=None
    )
    made = Scene(
        engine=Engine(client),
        shell=None,
        root=None,
        expected=expected,
        hold_s=0.1,
        note=notes.append,
        measure=measured.update,
    )
    return SimpleNamespace(scene=made, measured=measured)


def said(port, data=b"x"):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(data)
        answer = b""
        while len(answer) < len(data) and (more := connection.recv(4096)):
            answer += more
        return answer


@contextlib.contextmanager
def talking(port):
    """Have somebody talk through the proxy for as long as the block runs."""
    over = threading.Event()

    def talk():
        while not over.wait(0.01):
            with contextlib.suppress(OSError):
                said(port)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_toxics_are_there_while_the_block_runs_and_traffic_is_counted(way, proxy):
    with proxy.harmed([SLOW, Toxic("slicer", "upstream")]):
        assert sorted(proxy.toxics()) == ["latency_downstream", "slicer_upstream"]
        assert said(way.port, b"four") == b"four"
    assert proxy.toxics() == []
    found = proxy.traffic()
    counted = Traffic(
        accepted=1, failed=0, open=found.open, upstream_bytes=4, downstream_bytes=4, touched=found.touched
    )
    assert found == counted
    assert found.touched >= 2


def test_toxics_are_taken_away_when_the_block_fails(proxy):
    with pytest.raises(KeyboardInterrupt), proxy.harmed([SLOW]):
        raise KeyboardInterrupt
    assert proxy.toxics() == []


def test_a_toxic_that_the_proxy_refuses_leaves_none_behind(proxy):
    with (
        pytest.raises(TrialFailed, match="attribute speed: there are rate"),
        proxy.harmed([SLOW, Toxic("bandwidth", attributes={"speed": 1})]),
    ):
        pass
    assert proxy.toxics() == []


def test_a_proxy_refuses_while_it_is_down(way, proxy):
    with proxy.down(), pytest.raises(ConnectionRefusedError):
        said(way.port)
    assert said(way.port) == b"x"


@pytest.fixture
def connecting(way, monkeypatch):
    """Somebody whom the proxy has taken, and has not reached the upstream for until it may."""
    reached, begun, may = way.made._connected, threading.Event(), threading.Event()

    async def slowly():
        begun.set()
        while not may.is_set():
            await asyncio.sleep(0.01)
        return await reached()

    monkeypatch.setattr(way.made, "_connected", slowly)
    with socket.create_connection(("127.0.0.1", way.port), timeout=5):
        assert begun.wait(5)
        yield may
        may.set()


def test_a_connection_that_is_being_made_is_waited_for(way, connecting):
    class Watched(FaultProxy):
        looks = 0

        def traffic(self):
            found = super().traffic()
            self.looks += 1
            if self.looks == 2:
                connecting.set()
            return found

    watched = Watched(f"http://127.0.0.1:{way.api}", "app")
    with watched.down():
        assert watched.traffic().open == 0


def test_a_proxy_that_keeps_a_connection_is_not_down(proxy, connecting, monkeypatch):
    monkeypatch.setattr(proxy_module, "DOWN_WITHIN_S", 0.1)
    kept = pytest.raises(NotEffective, match="proxy app is down: not seen within")
    with kept, proxy.down():
        pass
    assert proxy.is_enabled()


def test_an_api_that_is_away_is_told():
    with pytest.raises(TrialFailed, match="the fault proxy does not answer"):
        FaultProxy("http://127.0.0.1:1", "app").traffic()


@pytest.mark.parametrize(
    ("target", "proxied", "name"),
    [
        ("gunicorn:gthread", Proxied.DATABASE, "database"),
        ("gunicorn:gthread+nginx", Proxied.UPSTREAM, "app"),
        ("gunicorn:gthread+nginx", Proxied.FRONT, "edge"),
        ("gunicorn:gthread", Proxied.FRONT, "app"),
    ],
)
def test_each_way_of_a_stack_has_its_proxy(echo, target, proxied, name):
    with live() as found:
        made = found.do(found.proxies.make(name, listen="127.0.0.1:0", upstream=f"127.0.0.1:{echo}"))
        said(int(made.listen.rpartition(":")[2]))
        client = FakeClient()
        client.add("faultproxy", ports={8474: found.port})
        assert proxy_of(Engine(client), settings_of(target, proxied)).name == name


def test_a_way_that_nothing_has_gone_by_proves_nothing(scene):
    with pytest.raises(TrialFailed, match="nothing has gone through proxy app"):
        proxy_of(scene.scene.engine, scene.scene.settings)


def test_a_stack_without_the_proxy_has_no_way_through_it():
    with pytest.raises(TrialFailed, match="no way of the stack leads through the fault proxy"):
        proxy_of(Engine(FakeClient()), settings_of("gunicorn:gthread", None))


def test_a_poisoned_way_is_confirmed_by_what_the_toxics_touched(way, proxy, scene):
    fault = Poisoned(id="F", title="t", what="w", way=Proxied.UPSTREAM, toxics=(SLOW,))
    with talking(way.port):
        said(way.port)
        with fault.inject(scene.scene) as seen:
            assert seen.startswith("latency (latency 1) downstream: they touched ")
            assert proxy.toxics() == ["latency_downstream"]
    assert proxy.toxics() == []
    assert scene.measured.keys() == {"proxy_connections"}


def test_toxics_that_touch_nothing_are_no_fault(way, proxy, scene, monkeypatch):
    monkeypatch.setattr(fault_module, "CONFIRM_S", 0.1)
    said(way.port)
    never = Toxic("latency", attributes={"latency": 1}, toxicity=0.0)
    fault = Poisoned(id="F", title="t", what="w", way=Proxied.UPSTREAM, toxics=(never,))
    refused = pytest.raises(NotEffective, match="toxics at proxy app touch anything")
    with talking(way.port), refused, fault.inject(scene.scene):
        pass
    assert proxy.toxics() == []


def test_a_way_that_is_down_is_open_again_afterwards(way, proxy, scene):
    said(way.port)
    with Down(id="F", title="t", what="w", way=Proxied.UPSTREAM).inject(scene.scene) as seen:
        assert seen.startswith("proxy app refuses; ")
        assert not proxy.is_enabled()
    assert said(way.port) == b"x"


def test_the_proxy_takes_nothing_from_the_cores_of_the_stack():
    text = (CHECKOUT / "compose" / "faultproxy.yml").read_text()
    assert re.findall(r"^ +cpuset: (.+)$", text, re.MULTILINE) == ["${LAB_LOAD_CPUSET:-}"]


def test_a_fault_on_a_way_says_which_stack_it_needs():
    def of(way):
        return Down(id="F", title="t", what="w", way=way).stack()

    assert of(Proxied.FRONT) == {"proxied": Proxied.FRONT}
    assert of(Proxied.UPSTREAM) == {"proxied": Proxied.UPSTREAM}
    assert of(Proxied.DATABASE) == {"proxied": Proxied.DATABASE, "database": Database.POSTGRES}


def test_without_an_edge_there_is_no_way_between_edge_and_app():
    expected = SimpleNamespace(edge=None, capabilities=frozenset())
    fault = Down(id="F", title="t", what="w", way=Proxied.UPSTREAM)
    assert fault.applicable(expected) == "there is no edge in front of it"
    assert Down(id="F", title="t", what="w", way=Proxied.FRONT).applicable(expected) is None


def test_a_toxic_is_told_in_its_own_words():
    assert str(Toxic("reset_peer", "upstream", {"timeout": 0}, 0.3)) == (
        "reset_peer (timeout 0) upstream for 30% of connections"
    )
