"""The columns of a CSV file: from its first line, or from the configuration."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from recall.config import Source
from recall.errors import DataError
from recall.sources.compressed import open_bytes

_HEADER_BYTES = 1 << 16


def csv_columns(path: Path, source: Source, name: str) -> tuple[str, ...]:
    """Names of the columns in order; a repeated name gets '_2' and so on. DataError for an empty header."""
    if not source.header:
        return unique(source.names)
    with open_bytes(path) as file:
        start = file.read(_HEADER_BYTES)
    encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
    text = start.decode(encoding, errors="replace").lstrip("\ufeff")
    if len(source.delimiter) > 1 or not source.quote:
        fields = text.splitlines()[0].split(source.delimiter) if text.strip() else []
    else:
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=source.delimiter, quotechar=source.quote, strict=False
        )
        fields = next(reader, [])
    fields = [field.strip() for field in fields]
    if not any(fields):
        raise DataError(f"{name}: no header line; if the file has none, set header = false and names = [...]")
    return unique(fields)


def unique(names: Iterable[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    result = []
    for position, name in enumerate(names):
        name = name or f"column_{position + 1}"
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(result)
