"""The raw rows behind what a source's readers and cleaning refused, fit to be kept and shown."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Mapping, Sequence
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


def raw_cells(
    path: Path, source: Source, format: str, columns: Sequence[str], rows: Sequence[int]
) -> list[dict[str, str]]:
    """Column → raw text of these rows (first lines; of Parquet, numbers from 1), for showing.

    A row that spans several lines, or can't be cut into columns, gives what its first line holds.
    """
    if format == "parquet":
        table = pq.read_table(path).take(pa.array([row - 1 for row in rows], pa.int64()))
        return [{name: _text(value) for name, value in row.items()} for row in table.to_pylist()]
    found = []
    for _, line in read_lines(path, {row: row for row in rows}, source.encoding):
        text = line.decode(_python_encoding(source), errors="replace").strip("\r\n\ufeff")
        if format == "jsonl":
            found.append(_json_cells(text))
        elif len(source.delimiter) > 1 or not source.quote:
            found.append(dict(zip(columns, text.split(source.delimiter), strict=False)))
        else:
            fields = next(csv.reader([text], delimiter=source.delimiter, quotechar=source.quote), [])
            found.append(dict(zip(columns, fields, strict=False)))
    return found


def _python_encoding(source: Source) -> str:
    return "utf-8" if source.encoding == "utf-16" else source.encoding  # read_lines gives UTF-16 as UTF-8


def _json_cells(text: str, prefix: str = "") -> dict[str, str]:
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    cells: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            inner = {f"{prefix}{name}.{key}": _text(one) for key, one in value.items()}
            cells |= inner
        cells[prefix + name] = _text(value)
    return cells


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
