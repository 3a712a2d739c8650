"""Keeps out of a stage what belongs to accounts that were erased."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recall.store.tombstones import Tombstones

REASON = "erased"
_HELD = ("user", "listing", "event")
_TOKENS = re.compile(r"[\s,;:|\t\"'{}\[\]<>=]+")


def erase(rows: Path, platform: str, tombstones: Tombstones) -> frozenset[str]:
    """Mark the rows of erased accounts in a staged rows.parquet and empty what names them; returns the users.

    Rows keep their places. Events after the time of erasure stay: the person came back. A row whose time
    can't be read counts as one before it.
    """
    if not tombstones.on(platform) or "user" not in pq.read_schema(rows).names:
        return frozenset()
    users = pq.read_table(rows, columns=["user"])["user"].unique().drop_null().to_pylist()
    found = tombstones.erased(platform, users)
    if not found:
        return frozenset()
    part = rows.with_suffix(".erased")
    with pq.ParquetFile(rows) as source:
        schema = pa.schema([field.with_nullable(True) for field in source.schema_arrow])
        with pq.ParquetWriter(part, schema, compression="zstd") as out:
            for batch in source.iter_batches():
                out.write_batch(_without(batch, found, schema))
    part.replace(rows)
    return frozenset(found)


def _without(batch: pa.RecordBatch, found: Mapping[str, int], schema: pa.Schema) -> pa.RecordBatch:
    users = pa.array(sorted(found), pa.string())
    until = pa.array([found[user] for user in sorted(found)], pa.int64())
    at = until.take(pc.index_in(batch["user"].cast(pa.string()), value_set=users))
    gone = pc.is_valid(at)
    if "time" in batch.schema.names:
        gone = pc.and_(gone, pc.fill_null(pc.less_equal(batch["time"], at), True))
    columns = []
    for field, column in zip(schema, batch.columns, strict=True):
        if field.name in _HELD:
            column = pc.if_else(gone, pa.scalar(None, field.type), column)
        elif field.name == "reason":
            column = pc.if_else(gone, pa.scalar(REASON, field.type), column)
        columns.append(column.cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def names_erased(raw: str, platform: str, tombstones: Tombstones) -> bool:
    """Whether a row that could not be cut into columns holds the id of an erased account."""
    return bool(tombstones.on(platform) and tombstones.erased(platform, set(_TOKENS.split(raw)) | {raw}))
