"""A table or query of SQLite or PostgreSQL, through its driver into a Parquet file, a batch at a time."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recall.config import Source
from recall.errors import ConfigError, DataError
from recall.sources.connection import identifier
from recall.sources.lines import hide_emails

_BATCH = 50_000


def fetch(source: Source, root: Path, target: Path, name: str, *, limit: int | None = None) -> Path:
    """Read the source (up to about `limit` rows) into `target` and return it.

    Every column is text, as in a CSV file, empty for null. DataError when the database can't be reached or
    refuses the query; the URL's password is never shown.
    """
    url = re.sub(r"\$(\w+)", lambda match: _variable(match.group(1), name), source.url or "")
    query = source.query or "SELECT * FROM " + ".".join(
        identifier(p) for p in (source.table or "").split(".")
    )
    scheme, _, rest = url.partition("://")
    try:
        if scheme == "sqlite":
            _write(target, _sqlite(root / rest.removeprefix("/"), query), limit)
        elif scheme in ("postgresql", "postgres"):
            asyncio.run(_write_async(target, _postgres(url, query), limit))
        else:
            raise ConfigError(f"{name}: no driver for {scheme!r}; use sqlite:///FILE or postgresql://…")
    except (OSError, sqlite3.Error) as error:
        raise DataError(f"{name}: the database can't be read: {type(error).__name__}") from error
    return target


def _variable(variable: str, name: str) -> str:
    if not (value := os.environ.get(variable)):
        raise ConfigError(f"{name}: the environment variable {variable} is not set")
    return value


def _sqlite(path: Path, query: str) -> Iterator[tuple[list[str], Sequence[Any]]]:
    if not path.is_file():
        raise DataError(f"{path}: no such SQLite file")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        cursor = connection.execute(query)
        columns = [column[0] for column in cursor.description]
        while rows := cursor.fetchmany(_BATCH):
            yield columns, rows
        yield columns, []
    finally:
        connection.close()


async def _postgres(url: str, query: str) -> AsyncGenerator[tuple[list[str], Sequence[Any]], None]:
    import asyncpg

    try:
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction(readonly=True):
                statement = await connection.prepare(query)
                columns = [attribute.name for attribute in statement.get_attributes()]
                cursor = await statement.cursor()
                while rows := await cursor.fetch(_BATCH):
                    yield columns, [tuple(row) for row in rows]
                yield columns, []
        finally:
            await connection.close()
    except asyncpg.PostgresError as error:
        raise DataError(f"the database refused the query: {hide_emails(str(error))}") from error


def _write(target: Path, batches: Iterator[tuple[list[str], Sequence[Any]]], limit: int | None) -> None:
    writer, count = None, 0
    for columns, rows in batches:
        table = _table(columns, rows)
        writer = writer or pq.ParquetWriter(target, table.schema)
        writer.write_table(table)
        count += len(rows)
        if limit is not None and count >= limit:
            break
    if writer:
        writer.close()


async def _write_async(
    target: Path, batches: AsyncGenerator[tuple[list[str], Sequence[Any]], None], limit: int | None
) -> None:
    writer, count = None, 0
    async for columns, rows in batches:
        table = _table(columns, rows)
        writer = writer or pq.ParquetWriter(target, table.schema)
        writer.write_table(table)
        count += len(rows)
        if limit is not None and count >= limit:
            await batches.aclose()
            break
    if writer:
        writer.close()


def _table(columns: list[str], rows: Sequence[Any]) -> pa.Table:
    """Text columns. Times print as ISO 8601 with their offset; numbers without a needless fraction."""
    cells = {
        column: pa.array([_text(row[position]) for row in rows], pa.string())
        for position, column in enumerate(columns)
    }
    return pa.table(cells)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if hasattr(value, "isoformat"):
        return str(value.isoformat(" ")) if hasattr(value, "hour") else str(value.isoformat())
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
