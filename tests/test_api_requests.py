from __future__ import annotations

import asyncio
import threading

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from api.requests import ClientGone, RequestId, while_connected
from tests.serving import served


def _app(ended: threading.Event) -> FastAPI:
    app = FastAPI()
    app.add_middleware(RequestId)

    @app.exception_handler(ClientGone)
    async def gone(request: Request, error: Exception) -> Response:
        return Response(status_code=499)

    async def work(seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
            return "done"
        except asyncio.CancelledError:
            ended.set()
            raise

    async def fails() -> str:
        raise ZeroDivisionError

    @app.post("/work")
    async def ask(body: dict[str, float], request: Request) -> str:
        return await while_connected(request, work(body["seconds"]))

    @app.post("/fails")
    async def broken(request: Request) -> str:
        try:
            return await while_connected(request, fails())
        except ZeroDivisionError:
            return "as raised"

    return app


def test_work_ends_as_soon_as_the_caller_leaves() -> None:
    ended = threading.Event()
    with served(_app(ended)) as url, httpx.Client(base_url=url) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/work", json={"seconds": 60}, timeout=0.3)
        assert ended.wait(timeout=5)
        assert client.post("/work", json={"seconds": 0}).json() == "done"


def test_the_work_s_own_result_and_error_pass_through() -> None:
    with served(_app(threading.Event())) as url, httpx.Client(base_url=url) as client:
        assert client.post("/work", json={"seconds": 0.01}).json() == "done"
        assert client.post("/fails").json() == "as raised"
