"""Who asks from many addresses: one program in the container in front, for all that is asked of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from serverlab.attacks.callers import FRONTS, Callers
from serverlab.attacks.stage import Stage


class Engine:
    """Names the container of a service after it."""

    @staticmethod
    def service(name):
        return SimpleNamespace(id=name)


@pytest.mark.parametrize(("edge", "service"), [(None, "app"), ("nginx", "edge")])
def test_they_are_beside_what_is_in_front_and_ask_its_port(monkeypatch, edge, service):
    said = []
    settings = SimpleNamespace(target=SimpleNamespace(edge=edge))
    monkeypatch.setattr(
        Callers, "ask", lambda self, question: said.append((self, question)) or [{"status": 401}]
    )
    stage = Stage(engine=Engine(), expected=SimpleNamespace(settings=settings))
    assert stage.callers.call([{"address": "127.9.9.1"}], at_once=4) == [{"status": 401}]
    ((callers, question),) = said
    python, port = FRONTS[service]
    assert (callers._container.id, callers._argv[0]) == (service, python)
    assert question == {"port": port, "attempts": [{"address": "127.9.9.1"}], "at_once": 4}
    assert stage.callers is callers
