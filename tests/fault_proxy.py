"""The fault proxy's package, which lies in its folder in deploy/, and a live one in a thread of this process."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "deploy" / "faultproxy"


def _load() -> None:
    spec = importlib.util.spec_from_file_location(
        "faultproxy", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["faultproxy"] = package
    spec.loader.exec_module(package)


if "faultproxy" not in sys.modules:
    _load()


@dataclass(frozen=True)
class Live:
    """Proxies at work, and the port of their API; ``do`` runs a coroutine where they live."""

    proxies: Any
    port: int
    do: Callable[[Any], Any]


@contextmanager
def live() -> Iterator[Live]:
    """Have a loop with proxies and their API run in a thread."""
    from faultproxy.api import serve  # noqa: PLC0415 - found once it is loaded
    from faultproxy.proxies import Proxies  # noqa: PLC0415 - the same

    loop = asyncio.new_event_loop()
    turning = threading.Thread(target=loop.run_forever)
    turning.start()

    def do(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(5)

    proxies = Proxies()

    async def bound() -> Any:
        return serve(proxies, host="127.0.0.1", port=0)

    api = do(bound())
    answering = threading.Thread(target=lambda: api.serve_forever(poll_interval=0.01))
    answering.start()

    async def ended() -> None:
        proxies.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=2)

    try:
        yield Live(proxies, api.server_port, do)
    finally:
        api.shutdown()
        api.server_close()
        answering.join()
        do(ended())
        loop.call_soon_threadsafe(loop.stop)
        turning.join()
        loop.close()
