"""Serve the proxies that the environment names until SIGTERM.

LAB_PROXIES     name=listen>upstream, several with spaces: database=0.0.0.0:5432>db:5432
LAB_PROXY_API   0.0.0.0:8474: where the API listens
"""

import asyncio
import os
import signal
import sys
import threading

from faultproxy.api import serve
from faultproxy.proxies import Conflict, Proxies, address_of


async def main() -> None:
    """Listen, answer, and end when told."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    proxies = Proxies()
    for word in os.environ.get("LAB_PROXIES", "").split():
        name, _, way = word.partition("=")
        listen, _, upstream = way.partition(">")
        await proxies.make(name, listen=listen, upstream=upstream)
    host, port = address_of(os.environ.get("LAB_PROXY_API") or "0.0.0.0:8474")
    api = serve(proxies, host=host, port=port)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    await stop.wait()
    api.shutdown()
    proxies.close()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (Conflict, OSError) as error:
        print(f"faultproxy: {error}", file=sys.stderr)
        sys.exit(2)
