"""Identical calls at the same time run as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from recall.errors import ModelError
from rerank.types import Cause, Deadline

T = TypeVar("T")


@dataclass(slots=True)
class _Flight:
    task: asyncio.Task[Any]
    waiting: int = 0


class Flights:
    """Calls under way on one event loop, by key."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._under_way: dict[str, _Flight] = {}

    async def fly(self, key: str, ask: Callable[[], Awaitable[T]], deadline: Deadline) -> tuple[T, bool]:
        """The answer, and whether it was asked for by this caller rather than by an earlier one.

        A caller who leaves takes the call along only if nobody else waits for it. One whose deadline is
        later than that of the call which failed for lack of time asks by himself.
        """
        while (flight := self._under_way.get(key)) is not None:
            try:
                return await self._wait(key, flight, deadline), False
            except ModelError as error:
                if error.cause != Cause.DEADLINE or not deadline.left():
                    raise
        flight = _Flight(asyncio.ensure_future(_awaited(ask)))
        self._under_way[key] = flight
        flight.task.add_done_callback(lambda _: self._land(key, flight))
        return await self._wait(key, flight, deadline), True

    async def _wait(self, key: str, flight: _Flight, deadline: Deadline) -> Any:
        flight.waiting += 1
        try:
            async with asyncio.timeout(deadline.left()):
                return await asyncio.shield(flight.task)
        except TimeoutError as error:
            raise ModelError(f"{self._name}: no answer by the deadline", Cause.DEADLINE) from error
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._land(key, flight)
                flight.task.cancel()

    def _land(self, key: str, flight: _Flight) -> None:
        if self._under_way.get(key) is flight:
            del self._under_way[key]
        if flight.task.done() and not flight.task.cancelled():
            flight.task.exception()  # told to those who wait; nobody may be left


async def _awaited(ask: Callable[[], Awaitable[T]]) -> T:
    return await ask()
