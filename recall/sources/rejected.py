"""The raw rows behind what a source's readers and cleaning refused, fit to be kept and shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recall.config import Source
from recall.sources.lines import WITHHELD, read_lines, redacted_csv, redacted_row, shown


def raw_lines(
    path: Path,
    source: Source,
    columns: tuple[str, ...],
    redact: Collection[str],
    wanted: Mapping[int, int],
    broken: Collection[int],
) -> dict[int, str]:
    """Of a text file: the rows that begin on `wanted` lines (first → last), the columns in `redact` hidden.

    `columns` are a CSV file's; none: JSON lines. Rows that can't be cut into columns (`broken`) are withheld
    where there is anything to redact.
    """
    result = {}
    for first, line in read_lines(path, wanted, source.encoding):
        if redact and (first in broken or not columns):
            result[first] = WITHHELD
        elif not columns:
            result[first] = shown(line, source.encoding)
        else:
            result[first] = redacted_csv(line, columns, redact, source)
    return result


def raw_rows(path: Path, redact: Collection[str], numbers: Mapping[int, int]) -> dict[int, str]:
    """Of a Parquet file: rows (from 0) → the names they are returned by, as JSON with `redact` hidden."""
    if not numbers:
        return {}
    result = {}
    position, wanted = 0, np.array(sorted(numbers))
    for batch in pq.ParquetFile(path).iter_batches():
        inside = wanted[(wanted >= position) & (wanted < position + len(batch))] - position
        for offset, row in zip(inside.tolist(), batch.take(pa.array(inside)).to_pylist(), strict=True):
            result[numbers[offset + position]] = redacted_row(row, redact)
        position += len(batch)
    return result
