"""Sees every answer to its end, and tells those who count and log."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Told = Callable[[Scope, int, float], None]
"""Given the request's scope, the status (499: the caller left first) and the seconds it took."""


class Watched:
    """Calls each of `told` after every answer."""

    def __init__(self, app: ASGIApp, *, told: tuple[Told, ...]) -> None:
        self.app = app
        self.told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, status = time.perf_counter(), 499

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            seconds = time.perf_counter() - began
            for tell in self.told:
                tell(scope, status, seconds)


def route_of(scope: Scope) -> str:
    """The route's template, as /v1/users/{platform}/{user}/history; "" where none matched."""
    return str(getattr(scope.get("route"), "path_format", ""))
