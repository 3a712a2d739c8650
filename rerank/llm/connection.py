"""The wire to one OpenAI-compatible endpoint: our own HTTP client under the openai package, one retry loop.

The package itself neither retries nor times out here; the deadline holds whatever the server does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
import openai

from recall.errors import ModelError
from rerank.llm.config import EndpointConfig
from rerank.llm.faults import may_retry, pause, translate
from rerank.types import Cause, Deadline

T = TypeVar("T")

CONNECT_SECONDS = 5.0
"""A TCP connection that takes longer has failed, and is tried again."""


class Connection:
    """Safe to use from one event loop at a time; a new loop gets new connections."""

    def __init__(self, config: EndpointConfig) -> None:
        self.config = config
        self.address = config.base_url or "https://api.openai.com/v1"
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def http(self) -> httpx.AsyncClient:
        """For what the openai package has no call for."""
        self.client()
        return self._http

    def client(self) -> openai.AsyncOpenAI:
        """The openai package's client in the running event loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self._semaphore = asyncio.Semaphore(self.config.concurrency)
            limits = httpx.Limits(
                max_connections=self.config.concurrency + 2, max_keepalive_connections=self.config.concurrency
            )
            timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
            self._http = httpx.AsyncClient(limits=limits, timeout=timeout, follow_redirects=True)
            key = self.config.api_key.get_secret_value() if self.config.api_key else "none"
            self._openai = openai.AsyncOpenAI(
                api_key=key,
                base_url=self.address,
                http_client=self._http,  # type: ignore[arg-type]  # the SDK takes httpx and httpx2 clients
                max_retries=0,
                timeout=timeout,  # type: ignore[arg-type]
            )
        return self._openai

    async def attempts(self, ask: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        """The one retry loop. Every failure leaves it as ModelError with its cause."""
        for attempt in range(self.config.retries + 1):
            if not deadline.left():
                break
            try:
                async with asyncio.timeout(deadline.left()) as limit:
                    return await ask()
            except TimeoutError as error:
                if limit.expired():
                    break
                failure: Exception = error
            except (openai.OpenAIError, httpx.HTTPError, ValueError, OSError) as error:
                failure = error
            wait = pause(failure, attempt)
            last = attempt == self.config.retries
            if last or not may_retry(failure) or wait >= deadline.left():
                raise translate(failure, self.address) from failure
            await asyncio.sleep(wait)
        raise ModelError(f"{self.address}: no answer by the deadline", Cause.DEADLINE)

    def slot(self, deadline: Deadline) -> Slot:
        """One of the endpoint's places, to be entered."""
        self.client()
        return Slot(self._semaphore, deadline, self.address)

    async def aclose(self) -> None:
        """End this event loop's connections."""
        if self._loop is asyncio.get_running_loop():
            self._loop = None
            await self._http.aclose()


class Slot:
    """One of the endpoint's places; waiting for it counts against the deadline."""

    def __init__(self, semaphore: asyncio.Semaphore, deadline: Deadline, address: str) -> None:
        self._semaphore, self._deadline, self._address = semaphore, deadline, address

    async def __aenter__(self) -> None:
        try:
            async with asyncio.timeout(self._deadline.left()):
                await self._semaphore.acquire()
        except TimeoutError as error:
            raise ModelError(f"{self._address}: busy until the deadline", Cause.DEADLINE) from error

    async def __aexit__(self, *_: object) -> None:
        self._semaphore.release()
