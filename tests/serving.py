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
