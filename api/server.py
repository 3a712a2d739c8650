"""One serving process: the service opened, its routes behind uvicorn, stopped by a signal once drained."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn

from api.app import create_app
from api.logs import configure_logs
from api.service import Service
from api.settings import Settings
from api.tracing import install

GRACE_SECONDS = 30
"""How long requests under way may take to end once the process was told to stop."""


_COLLECT_AFTER = 50_000
"""New objects before the garbage collector looks for circles among them."""


def collect_seldom() -> None:
    """An answer makes some thousand objects without circles, and Python's default looks at them several times
    while it is made: a tenth of its cost."""
    gc.set_threshold(_COLLECT_AFTER, 20, 20)


async def serve(
    settings: Settings,
    listener: socket.socket,
    *,
    ready: Callable[[], None] | None = None,
    parent: int | None = None,
) -> None:
    """Answer on `listener` until SIGTERM or SIGINT; requests under way are answered first.

    `ready` is called once the service is open. `parent` is a pipe's read end: when it closes, the process
    that started this one is gone, and this one stops too.
    """
    configure_logs(json=not sys.stderr.isatty())
    collect_seldom()
    traces = install(settings.traces)
    async with Service.open(settings) as service:
        if ready is not None:
            ready()
        options = uvicorn.Config(
            create_app(service),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        server = _Server(options, service)
        # uvicorn raises the signal that stopped it once more after it has drained; the default action
        # would then end the process before the service is closed.
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: None)
        if parent is not None:
            asyncio.get_running_loop().add_reader(parent, _orphaned, server, parent)
        await server.serve(sockets=[listener])
    if traces is not None:
        await asyncio.to_thread(traces.shutdown)


class _Server(uvicorn.Server):
    """Tells the streams that it stops, before it waits for the requests under way."""

    def __init__(self, options: uvicorn.Config, service: Service) -> None:
        super().__init__(options)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.stopping.set()
        await super().shutdown(sockets)


def _orphaned(server: uvicorn.Server, parent: int) -> None:
    asyncio.get_running_loop().remove_reader(parent)
    server.should_exit = True
