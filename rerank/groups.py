"""Group commit: entries queue up for a moment or while a transaction runs; the next one takes them all."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from recall.errors import StoreError

E = TypeVar("E")

GROUP = 500
"""Entries in one transaction at most."""

RETRY_SECONDS = 0.5
"""Pause after a transaction that failed; doubled up to RETRY_MOST while it goes on."""

RETRY_MOST = 10.0

_log = logging.getLogger(__name__)


class Ticket(Generic[E]):
    """An entry on its way into the store."""

    def __init__(self, entry: E, hurry: Callable[[], None]) -> None:
        self.entry = entry
        self.done = False
        self._hurry = hurry
        self.renew()

    def renew(self) -> None:
        self._attempt: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._attempt.add_done_callback(_seen)

    async def wait(self) -> None:
        """Until the entry is durable. StoreError when an attempt failed: it stays queued all the same."""
        if not self.done:
            self._hurry()
            await asyncio.shield(self._attempt)

    def succeed(self) -> None:
        self.done = True
        self._attempt.set_result(None)

    def fail(self, error: StoreError, *, again: bool) -> None:
        attempt = self._attempt
        if again:
            self.renew()
        attempt.set_exception(error)


class Groups(Generic[E]):
    """Writes entries in the order they came, in a task of the event loop that first added one.

    `write(entries)` is one transaction: it commits all or raises. After a StoreError the entries stay queued
    and are tried again. `most` entries may wait; beyond that the oldest are dropped and counted in `lost`, so
    that a dead database never fills the memory. `gone(entry)` is called once one is written or dropped.
    A transaction costs much more than an entry: unless somebody waits for one, they are gathered for `pause`
    seconds before it.
    """

    def __init__(
        self,
        write: Callable[[list[E]], Awaitable[None]],
        gone: Callable[[E], None],
        *,
        name: str,
        most: int = 20_000,
        pause: float = 0.0,
    ) -> None:
        self._write, self._gone, self._name, self._most = write, gone, name, most
        self._pause = pause
        self._last: Ticket[E] | None = None
        self._waiting: deque[Ticket[E]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._waited = asyncio.Event()
        self._closing = False
        self.lost = 0

    def add(self, entry: E) -> Ticket[E]:
        if self._closing:
            raise StoreError(f"the {self._name} is closed: nothing more can be written to it")
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work(), name=f"whyrec-{self._name}")
        self._last = ticket = Ticket(entry, self._waited.set)
        self._waiting.append(ticket)
        if len(self._waiting) > self._most:
            self._drop()
        elif len(self._waiting) == GROUP:
            self._waited.set()
        self._wake.set()
        return ticket

    async def flush(self) -> None:
        """Wait until what was added so far is durable; StoreError when an attempt failed."""
        if self._last is not None:
            await self._last.wait()

    async def aclose(self) -> None:
        """Write what waits. StoreError when that failed: it is lost then."""
        self._closing = True
        self._wake.set()
        self._waited.set()
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        pause, size = RETRY_SECONDS, GROUP
        while self._waiting or not self._closing:
            if not self._waiting:
                size = GROUP
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._gather()
            group = [self._waiting.popleft() for _ in range(min(size, len(self._waiting)))]
            try:
                await self._write([ticket.entry for ticket in group])
            except Exception as error:
                if not isinstance(error, StoreError) or of_the_entry(error):
                    if len(group) > 1:  # one of them can't be written: it must not take the others along
                        self._waiting.extendleft(reversed(group))
                        size = 1
                    else:
                        why = f"an entry of the {self._name} can't be written"
                        self._lose(group[0], f"{why}: {type(error).__name__}", error)
                    continue
                self._waiting.extendleft(reversed(group))
                _log.warning("%s: %d entries wait for the store: %s", self._name, len(self._waiting), error)
                for ticket in group:
                    ticket.fail(error, again=not self._closing)
                if self._closing:
                    raise
                await self._rest(pause)
                pause = min(RETRY_MOST, pause * 2)
            else:
                pause = RETRY_SECONDS
                for ticket in group:
                    ticket.succeed()
                    self._gone(ticket.entry)

    async def _gather(self) -> None:
        """More entries may come, until somebody waits for one or a group is full."""
        if self._pause and not self._closing and len(self._waiting) < GROUP:
            try:
                async with asyncio.timeout(self._pause):
                    await self._waited.wait()
            except TimeoutError:
                pass
        self._waited.clear()

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not self._closing:
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            pass

    def _drop(self) -> None:
        self._lose(
            self._waiting.popleft(),
            f"the store took nothing for too long: an entry of the {self._name} is lost",
        )

    def _lose(self, ticket: Ticket[E], why: str, cause: Exception | None = None) -> None:
        self.lost += 1
        error = StoreError(why)
        error.__cause__ = cause
        ticket.fail(error, again=False)
        self._gone(ticket.entry)
        if self.lost in (1, 10, 100) or self.lost % 1000 == 0:
            _log.error("%s; %d so far", why, self.lost)


def of_the_entry(error: StoreError) -> bool:
    """Whether the database refused what was to be written, rather than to write at all."""
    cause = error.__cause__
    if isinstance(cause, DataError | IntegrityError) or type(cause) is DBAPIError:
        return True
    return isinstance(cause, StatementError) and not isinstance(cause, DBAPIError)


def _seen(future: asyncio.Future[None]) -> None:
    """Nobody needs to wait for an entry: its error is logged by the group."""
    if not future.cancelled():
        future.exception()
