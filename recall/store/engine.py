"""One database behind SQLAlchemy: SQLite in WAL mode, or PostgreSQL by URL.

Statements run asynchronously on the caller's event loop; `Store.run` lets synchronous code (the command
line, CPU threads) run the same coroutines on a loop of the store's own. Connections belong to the loop
that opened them, so there is one engine per loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import weakref
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Table, event
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from recall.errors import ConfigError, StoreError

T = TypeVar("T")

BUSY_SECONDS = 15.0
"""How long a statement waits for another writer of the same SQLite file."""

_PEEKS = 2
"""Connections kept for `Store.peek`: more are seldom needed at once, and each holds files open."""

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
}
_WRITE = "whyrec_write"


def open_store(url: str) -> Store:
    """The store at `url`, not yet connected; ConfigError when the URL is not understood.

    The schema is brought up to date by api.migrations, which the command line and the service call.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"[store] url {url!r}: use sqlite:///FILE or postgresql://HOST/DATABASE") from error
    kind = parsed.get_backend_name()
    if kind not in _DRIVERS:
        raise ConfigError(
            f"[store] url: {kind!r} is not supported; use sqlite:///FILE or postgresql://HOST/DATABASE"
        )
    if kind == "sqlite" and (parsed.database in (None, "", ":memory:")):
        raise ConfigError("[store] url: SQLite needs a file, since several threads open it: sqlite:///FILE")
    return Store(parsed.set(drivername=_DRIVERS[kind]))


class Store:
    """Reads and writes of one database. Safe to use from several threads and event loops."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._engines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncEngine]
        self._engines = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._peeks: list[sqlite3.Connection] = []  # idle ones; taken and put back, so that nobody waits

    def __repr__(self) -> str:
        return f"Store({self.url.render_as_string(hide_password=True)})"

    @property
    def sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def engine(self) -> AsyncEngine:
        """The engine of the running event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            engine = self._engines.get(loop)
            if engine is None:
                engine = self._engines[loop] = self._create()
            return engine

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one state of the database. Failures become StoreError."""
        with _Translated(self):
            async with self.engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def write(self, within: AsyncConnection | None = None) -> AsyncIterator[AsyncConnection]:
        """A transaction, durable when the block ends; rolled back when it raises. `within` is one that is
        under way: the block is a part of it then, and durable with it.

        On SQLite it takes the write lock at once: a transaction that begins by reading could not be
        upgraded while another one writes.
        """
        if within is not None:
            yield within
            return
        with _Translated(self):
            async with self.engine.connect() as connection:
                await connection.execution_options(**{_WRITE: True})
                async with connection.begin():
                    yield connection

    def insert(self, table: Table) -> SqliteInsert | PostgresInsert:
        """An INSERT of this database's dialect, for its ON CONFLICT clauses."""
        return SqliteInsert(table) if self.sqlite else PostgresInsert(table)

    def peek(self, query: str) -> tuple[Any, ...] | None:
        """The first row of a short query, asked at once on a connection of its own, from any thread: some
        microseconds, where a coroutine costs a millisecond. None on PostgreSQL, or when it can't be had."""
        if not self.sqlite:
            return None
        try:
            try:
                connection = self._peeks.pop()
            except IndexError:
                where = f"file:{quote(str(self.url.database))}?mode=rw"  # rw: a reader of WAL needs it
                options: dict[str, Any] = {"uri": True, "check_same_thread": False, "timeout": 0.0}
                connection = sqlite3.connect(where, isolation_level=None, **options)
            row: tuple[Any, ...] | None = connection.execute(query).fetchone()
        except sqlite3.Error:
            return None
        if len(self._peeks) < _PEEKS:
            self._peeks.append(connection)
        else:
            connection.close()
        return row

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end on the store's own loop. Not from a coroutine: it blocks."""
        return asyncio.run_coroutine_threadsafe(work, self._own_loop()).result()

    async def aclose(self) -> None:
        """Close the connections of the running loop, and the store's own loop."""
        with self._lock:
            engine = self._engines.pop(asyncio.get_running_loop(), None)
        if engine is not None:
            await engine.dispose()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Close what `run` and `peek` opened. The store may be used again afterwards."""
        while self._peeks:
            self._peeks.pop().close()
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
            engine = self._engines.pop(loop, None) if loop is not None else None
        if loop is None or thread is None:
            return
        if engine is not None:
            asyncio.run_coroutine_threadsafe(engine.dispose(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Store:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="whyrec-store", daemon=True
                )
                self._thread.start()
            return self._loop

    def _create(self) -> AsyncEngine:
        # Parameters hold user ids and titles: they stay out of error messages and logs.
        if not self.sqlite:
            return create_async_engine(self.url, hide_parameters=True, pool_pre_ping=True)
        assert self.url.database is not None
        Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(self.url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine.sync_engine, "connect", _sqlite_connect)
        event.listen(engine.sync_engine, "begin", _sqlite_begin)
        return engine


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, see _sqlite_begin
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # in WAL mode, NORMAL may lose the last commits on power loss
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten with zeros
    cursor.close()


def _sqlite_begin(connection: Any) -> None:
    write = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


class _Translated:
    """Turns the database's exceptions into StoreError with the remedy."""

    def __init__(self, store: Store) -> None:
        self.where = store.url.render_as_string(hide_password=True)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, DBAPIError):
            text = str(error.orig)
        elif isinstance(error, (SQLAlchemyError, sqlite3.Error, OSError)):
            text = str(error)
        else:
            return
        if "locked" in text:
            remedy = f"another process held it for {BUSY_SECONDS:.0f} s: wait for it to end, then try again"
        elif "no such table" in text or "does not exist" in text:
            remedy = (
                "its schema is missing: run any whyrec command on it once, for example `whyrec links show`"
            )
        else:
            remedy = "check [store] url, and that the database is running and writable"
        raise StoreError(f"store {self.where}: {text}; {remedy}") from error
