"""What every request gets: an id, a limit to its body, and work that ends when the caller has gone."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem

T = TypeVar("T")

_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """Gives each request an id (the caller's X-Request-Id where it is a plain word) and returns it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        name = given if _GIVEN.fullmatch(given) else secrets.token_hex(16)
        scope["request_id"] = name

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = {"x-request-id": name, **scope.get("answer_headers", {})}
                own = [(key.lower().encode(), value.encode()) for key, value in told.items()]
                message["headers"] = [*message.get("headers", ()), *own]
            await send(message)

        await self.app(scope, receive, tagged)


class BodyLimit:
    """Answers a larger body with a 413 problem: at once where its length is declared, else while it is read.

    FastAPI's own limit answers a declared length in plain text.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.max_bytes:
            refusal = problem(Request(scope), 413, self._detail)
            return await refusal(scope, receive, send)
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.max_bytes:
                raise HTTPException(413, self._detail)
            return message

        await self.app(scope, counted, send)

    @property
    def _detail(self) -> str:
        return f"The body is larger than {self.max_bytes} bytes: send less at a time."


class ClientGone(Exception):
    """The caller closed the connection before the answer was ready."""


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The work's result; cancels it and raises ClientGone as soon as the caller disconnects.

    Call it after the body was read: what then arrives on the connection is only its end.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone
    finally:
        for each in (task, gone):
            each.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
