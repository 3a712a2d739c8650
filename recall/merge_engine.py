"""Where the merge's expressions run: an Ibis backend, and what Ibis does not say for all of them alike.

DuckDB is here, Spark in recall/merge_spark.py; `open_engine` is the table of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, Protocol

import ibis
import pyarrow as pa

from recall.config import MergeConfig
from recall.merge_stage import Stage, staged_types
from recall.sources.connection import connect, identifier, literal

Clean = Callable[[Any], Any]
"""A table of raw cells to the table of cleaned ones, row for row."""


class Engine(Protocol):
    """Runs expressions over staged files. Tables that it returns are Ibis tables of one backend."""

    name: str
    reader: Any
    """An Ibis backend on DuckDB, which reads the source files whatever the engine."""

    def staged(self, kind: str, stages: Sequence[Stage]) -> Any:
        """All rows of these stages, with file_order (place in `stages`) and row (from 0), both int64."""

    def table(self, rows: pa.Table) -> Any:
        """A small table that was made here."""

    def read(self, path: Path) -> Any:
        """A Parquet file that `write` wrote, or that has plain columns."""

    def keep(self, name: str, expression: Any) -> Any:
        """The expression's rows, computed once; the same name again replaces them."""

    def fetch(self, expression: Any) -> pa.Table:
        """The expression's rows, here."""

    def hashed(self, *columns: Any) -> Any:
        """64 bits that are equal where all columns are. Of this engine only: never written to a build."""

    def clean(self, raw: Any, clean: Clean, schema: pa.Schema, target: Path) -> None:
        """Write `clean(raw)` to one Parquet file, rows in the order of `raw` (a table of `reader`)."""

    def write(self, path: Path, expression: Any, schema: pa.Schema) -> None:
        """Write the expression's rows to one Parquet file, in their order and with the schema's types."""


@contextmanager
def open_engine(config: MergeConfig, spill: Path) -> Iterator[Engine]:
    """The engine that [merge] names. MissingExtra when it is not installed."""
    with connect(config, spill) as reader:
        if config.engine == "duckdb":
            yield DuckDB(reader)
            return
        from recall.merge_spark import open_spark

        with open_spark(reader, spill, config.spark) as spark:
            yield spark


_SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.float64(): "DOUBLE",
    pa.float32(): "FLOAT",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.int8(): "TINYINT",
    pa.bool_(): "BOOLEAN",
}


class DuckDB:
    """The embedded engine, on the connection that reads the sources."""

    name = "duckdb"

    def __init__(self, reader: Any) -> None:
        self.reader = reader

    def staged(self, kind: str, stages: Sequence[Stage]) -> Any:
        name = f"staged_{kind}"
        self.reader.raw_sql(f"CREATE OR REPLACE TEMP VIEW {name} AS {_scan(kind, stages)}")
        return self.reader.table(name)

    def table(self, rows: pa.Table) -> Any:
        return ibis.memtable(rows)

    def read(self, path: Path) -> Any:
        return self.reader.read_parquet(path)

    def keep(self, name: str, expression: Any) -> Any:
        self.reader.raw_sql(f"DROP TABLE IF EXISTS kept_{name}")
        return self.reader.create_table(f"kept_{name}", expression, temp=True)

    def fetch(self, expression: Any) -> pa.Table:
        return expression.to_pyarrow()

    def hashed(self, *columns: Any) -> Any:
        return native("hash", columns, "uint64")

    def clean(self, raw: Any, clean: Clean, schema: pa.Schema, target: Path) -> None:
        self.write(target, clean(raw), schema)

    def write(self, path: Path, expression: Any, schema: pa.Schema) -> None:
        """Cast where Ibis believes a type and DuckDB does not (a whole-number literal has 32 bits there, a
        sum 128)."""
        view = self.reader.create_view("out", expression, overwrite=True)
        cells = ", ".join(
            f"CAST({identifier(field.name)} AS {_sql_type(field.type)}) AS {identifier(field.name)}"
            for field in schema
        )
        self.reader.raw_sql(
            f"COPY (SELECT {cells} FROM {identifier(view.get_name())}) "
            f"TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)"
        )


def native(name: str, columns: Sequence[Any], returns: str) -> Any:
    """The engine's own function of this name, of any number of columns."""

    def declared() -> None: ...

    names = [f"c{number}" for number in range(len(columns))]
    declared.__signature__ = Signature(  # type: ignore[attr-defined]
        [Parameter(each, Parameter.POSITIONAL_OR_KEYWORD) for each in names]
    )
    types = tuple(column.type() for column in columns)
    return ibis.udf.scalar.builtin(declared, name=name, signature=(types, returns))(*columns)


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_map(kind):
        return "MAP(VARCHAR, VARCHAR)"
    if pa.types.is_list(kind):
        return "VARCHAR[]"
    return _SQL_TYPES[kind]


def _scan(kind: str, stages: Sequence[Stage]) -> str:
    place = "file_index::BIGINT AS file_order, file_row_number::BIGINT AS row"
    if stages:
        paths = ", ".join(literal(str(stage.rows)) for stage in stages)
        return f"SELECT *, {place} FROM read_parquet([{paths}])"
    # DuckDB reads no empty list of files.
    cells = [f"NULL::{_sql_type(field.type)} AS {identifier(field.name)}" for field in staged_types(kind)]
    cells += ["NULL::BIGINT AS file_order", "NULL::BIGINT AS row"]
    return f"SELECT {', '.join(cells)} WHERE false"
