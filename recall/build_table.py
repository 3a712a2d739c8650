"""One table of a build, read from Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recall.errors import DataError
from recall.tables import SCHEMAS


def read_table(build: Path, name: str, columns: Sequence[str]) -> pa.Table:
    """These columns in one chunk, with the types of recall/tables.py. DataError when they can't be read."""
    schema = pa.schema([SCHEMAS[name].field(column) for column in columns])
    try:
        table = pq.read_table(build / f"{name}.parquet", columns=list(columns))
        return table.select(list(columns)).cast(schema).combine_chunks()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise DataError(
            f"{build}/{name}.parquet can't be read ({error}); run `whyrec ingest` again"
        ) from error
