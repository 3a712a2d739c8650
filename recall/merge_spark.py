"""The merge on Spark: the expressions that DuckDB runs, where one machine is too small.

DuckDB still reads the source files, one after another, into Parquet; cleaning, joining and aggregating are
Spark's. Everything between two steps lies in Parquet folders under the workspace, which all of Spark's
workers must see.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from recall.errors import MissingExtra
from recall.merge_engine import Clean, native
from recall.merge_stage import Stage, staged_types

_QUIET = {
    "spark.app.name": "whyrec",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
}
_ONE_SPLIT = str(1 << 50)


@contextmanager
def open_spark(reader: Any, spill: Path, options: Mapping[str, str]) -> Iterator[Spark]:
    """A Spark engine; `options` are Spark's own (spark.master …). A session that runs already is used and
    left running. MissingExtra without pyspark."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtra("pyspark", "spark") from error
    running = SparkSession.getActiveSession()
    builder = SparkSession.builder
    for key, value in (_QUIET | dict(options)).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    folder = spill / "spark"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield Spark(reader, session, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if running is None:
            session.stop()


class Spark:
    """Runs expressions on a Spark session; `reader` is DuckDB's connection."""

    name = "spark"

    def __init__(self, reader: Any, session: Any, folder: Path) -> None:
        self.reader, self.session, self.folder = reader, session, folder
        self.backend = ibis.pyspark.connect(session)
        self._made = 0

    def staged(self, kind: str, stages: Sequence[Stage]) -> Any:
        schema = staged_types(kind)
        if not stages:
            empty = pa.schema([*schema, ("file_order", pa.int64()), ("row", pa.int64())]).empty_table()
            return self.table(empty)
        orders = {stage.folder.name: order for order, stage in enumerate(stages)}
        self.table(pa.table({"folder": list(orders), "file_order": list(orders.values())}), "stage_orders")
        frame = self.session.read.parquet(*(str(stage.rows) for stage in stages))
        frame = frame.selectExpr(
            "*",
            "_metadata.row_index AS row",
            "regexp_extract(_metadata.file_path, '([^/]+)/[^/]+$', 1) AS folder",
        )
        frame.createOrReplaceTempView("stage_rows")
        cells = ", ".join(f"stage_rows.`{name}`" for name in schema.names)
        joined = self.session.sql(
            f"SELECT /*+ BROADCAST(stage_orders) */ {cells}, stage_orders.file_order, stage_rows.row "
            "FROM stage_rows JOIN stage_orders ON stage_rows.folder = stage_orders.folder"
        )
        joined.createOrReplaceTempView(f"staged_{kind}")
        return self.backend.table(f"staged_{kind}")

    def table(self, rows: pa.Table, name: str | None = None) -> Any:
        path = self._path("given.parquet")
        pq.write_table(rows, path)
        return self._view(path, name)

    def read(self, path: Path) -> Any:
        return self._view(path)

    def keep(self, name: str, expression: Any) -> Any:
        path = self._path(name)
        expression.to_parquet(path)
        return self._view(path)

    def fetch(self, expression: Any) -> pa.Table:
        path = self._path("fetched")
        expression.to_parquet(path)
        parts = [pq.read_table(part) for part in _parts(path)]
        schema = expression.schema().to_pyarrow()
        return pa.concat_tables(parts).cast(schema) if parts else schema.empty_table()

    def hashed(self, *columns: Any) -> Any:
        return native("xxhash64", columns, "int64")

    def clean(self, raw: Any, clean: Clean, schema: pa.Schema, target: Path) -> None:
        """The file is one task of Spark's, which keeps its rows in their order."""
        path = self._path("raw.parquet")
        raw.to_parquet(path)
        split = self.session.conf.get("spark.sql.files.maxPartitionBytes")
        self.session.conf.set("spark.sql.files.maxPartitionBytes", _ONE_SPLIT)
        try:
            self.write(target, clean(self._view(path)), schema)
        finally:
            self.session.conf.set("spark.sql.files.maxPartitionBytes", split)
        path.unlink()

    def write(self, path: Path, expression: Any, schema: pa.Schema) -> None:
        """Spark's parts, which are in order, in one file."""
        folder = self._path(path.stem)
        expression.to_parquet(folder)
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for part in _parts(folder):
                file = pq.ParquetFile(part)
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group).select(schema.names)
                    writer.write_table(table.cast(schema))
        shutil.rmtree(folder)

    def _path(self, name: str) -> Path:
        self._made += 1
        return self.folder / f"{self._made:04d}-{name}"

    def _view(self, path: Path, name: str | None = None) -> Any:
        return self.backend.read_parquet(str(path), table_name=name)


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))
