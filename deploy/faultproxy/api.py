"""The proxies over HTTP: toxiproxy's routes and JSON."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from faultproxy.proxies import Conflict, Missing, Proxies, Proxy
from faultproxy.toxics import ToxicError, toxic_of

VERSION = "2.12.0-serverlab"
PATIENCE_S = 15.0
LARGEST_BODY = 1 << 16
ROUTE = re.compile(r"/proxies/(?P<proxy>[\w.-]+)(?:/(?P<toxics>toxics)(?:/(?P<toxic>[\w.-]+))?)?")

Answer = tuple[int, Any]


async def answer(proxies: Proxies, method: str, path: str, told: Mapping[str, Any]) -> Answer:
    """Status and document for a request; mistakes of who asks are 4xx."""
    try:
        return await _answer(proxies, method, path.rstrip("/"), told)
    except Missing as missing:
        return _error(404, missing)
    except Conflict as conflict:
        return _error(409, conflict)
    except ToxicError as mistake:
        return _error(400, mistake)


async def _answer(proxies: Proxies, method: str, path: str, told: Mapping[str, Any]) -> Answer:
    match (method, path):
        case ("GET", "/version"):
            return 200, {"version": VERSION}
        case ("GET", "/proxies"):
            return 200, {name: proxy.as_json() for name, proxy in proxies.by_name.items()}
        case ("POST", "/proxies"):
            return 201, (await _made(proxies, told)).as_json()
        case ("POST", "/reset"):
            await proxies.reset()
            return 204, None
    return await _of_one(proxies, method, path, told)


async def _of_one(proxies: Proxies, method: str, path: str, told: Mapping[str, Any]) -> Answer:
    found = ROUTE.fullmatch(path)
    if found is None:
        return _error(404, f"there is no {path}")
    proxy = proxies.get(found["proxy"])
    if found["toxics"] is None:
        return await _of_proxy(proxies, proxy, method, told)
    if found["toxic"] is None:
        return _of_toxics(proxy, method, told)
    return _of_toxic(proxy, found["toxic"], method, told)


async def _made(proxies: Proxies, told: Mapping[str, Any]) -> Proxy:
    missing = [word for word in ("name", "listen", "upstream") if not isinstance(told.get(word), str)]
    if missing:
        raise ToxicError(f"a proxy needs {', '.join(missing)}")
    return await proxies.make(
        told["name"], listen=told["listen"], upstream=told["upstream"], enabled=told.get("enabled", True)
    )


async def _of_proxy(proxies: Proxies, proxy: Proxy, method: str, told: Mapping[str, Any]) -> Answer:
    match method:
        case "GET":
            return 200, proxy.as_json()
        case "POST" | "PATCH":
            if told.get("enabled", True):
                await proxy.enable()
            else:
                proxy.disable()
            return 200, proxy.as_json()
        case "DELETE":
            proxies.drop(proxy.name)
            return 204, None
    return _error(405, f"{method} is not for a proxy")


def _of_toxics(proxy: Proxy, method: str, told: Mapping[str, Any]) -> Answer:
    match method:
        case "GET":
            return 200, [toxic.as_json() for toxic in proxy.toxics.values()]
        case "POST":
            toxic = toxic_of(told)
            proxy.add(toxic)
            return 200, toxic.as_json()
    return _error(405, f"{method} is not for toxics")


def _of_toxic(proxy: Proxy, name: str, method: str, told: Mapping[str, Any]) -> Answer:
    match method:
        case "GET" if name in proxy.toxics:
            return 200, proxy.toxics[name].as_json()
        case "GET":
            raise Missing(f"proxy {proxy.name} has no toxic {name!r}")
        case "POST" | "PATCH":
            return 200, proxy.change(name, told).as_json()
        case "DELETE":
            proxy.remove(name)
            return 204, None
    return _error(405, f"{method} is not for a toxic")


def _error(status: int, what: object) -> Answer:
    return status, {"error": str(what), "status": status}


class Handler(BaseHTTPRequestHandler):
    """Hands requests to the loop in which the proxies live."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    proxies: ClassVar[Proxies]
    loop: ClassVar[asyncio.AbstractEventLoop]

    def do_GET(self) -> None:
        """Answer any method alike."""
        status, document = self._answered()
        body = b"" if document is None else json.dumps(document).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing: what is done here is in the lab's journal."""

    def _answered(self) -> Answer:
        if "Origin" in self.headers:  # as toxiproxy: no page in a browser gives orders here
            return _error(403, "not for browsers")
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            self.close_connection = True
            return _error(413, f"a body of at most {LARGEST_BODY} bytes")
        try:
            told = json.loads(self.rfile.read(int(length)) or b"{}")
        except ValueError as mistake:
            return _error(400, f"no JSON: {mistake}")
        if not isinstance(told, dict):
            return _error(400, "not an object")
        asked = answer(self.proxies, self.command, self.path, told)
        return asyncio.run_coroutine_threadsafe(asked, self.loop).result(PATIENCE_S)


def serve(proxies: Proxies, *, host: str, port: int) -> ThreadingHTTPServer:
    """A server that is bound, for a loop that runs; ``serve_forever`` in a thread makes it answer."""
    handler = type("Bound", (Handler,), {"proxies": proxies, "loop": asyncio.get_running_loop()})
    server = ThreadingHTTPServer((host, port), handler)
    server.daemon_threads = True
    return server
