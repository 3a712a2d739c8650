"""A real HTTP server on loopback, for tests: an ASGI app under uvicorn in a thread of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The app's base URL, http://127.0.0.1:PORT, while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
        server = uvicorn.Server(options)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        waited = time.monotonic() + 10
        while not server.started and thread.is_alive() and time.monotonic() < waited:
            time.sleep(0.005)
        assert server.started, "the test's server did not start"
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)


@contextmanager
def opened(settings: Any, create: Any) -> Iterator[str]:
    """The base URL of a whole service, opened and served on the loop of a thread of its own."""
    import asyncio

    from api.service import Service

    with socket.create_server(("127.0.0.1", 0)) as listener:
        servers: list[uvicorn.Server] = []
        failed: list[BaseException] = []

        async def serve() -> None:
            async with Service.open(settings) as service:
                options = uvicorn.Config(
                    create(service), log_level="warning", access_log=False, timeout_graceful_shutdown=2
                )
                servers.append(uvicorn.Server(options))
                await servers[0].serve(sockets=[listener])

        def run() -> None:
            try:
                asyncio.run(serve())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        waited = time.monotonic() + 60
        while not (servers and servers[0].started) and thread.is_alive() and time.monotonic() < waited:
            time.sleep(0.005)
        assert servers and servers[0].started, failed
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            servers[0].should_exit = True
            thread.join(timeout=15)
