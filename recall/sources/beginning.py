"""The beginning of a source, as a file of its own: what a check reads instead of the whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from recall.sources.compressed import open_bytes, plain_suffix
from recall.sources.database import fetch
from recall.sources.files import SourceFile
from recall.sources.raw import format_of

_BYTES = 1 << 22
"""Of a text file at most, so that long lines don't make a sample a long read."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """`file.path` is the copy; what follows in the source was not looked at unless `whole`."""

    file: SourceFile
    whole: bool


def beginning(file: SourceFile, root: Path, folder: Path, rows: int) -> Beginning:
    """Copy about the first `rows` rows of the source into `folder`. DataError when it can't be read."""
    if file.path is None:
        target = folder / f"{file.key}.parquet"
        fetch(file.source, root, target, file.name, limit=rows + 1)
        return _parquet(replace(file, path=target), folder, rows)
    format = format_of(file.path, file.source)
    if format == "parquet":
        return _parquet(file, folder, rows)
    target = folder / f"{file.key}{plain_suffix(file.path)}"
    with open_bytes(file.path) as source:
        data = source.read(_BYTES)
        more = bool(source.read(1))
    mark = "\n".encode("utf-16-le") if file.source.encoding == "utf-16" else b"\n"
    end = _end(data, mark, rows + (format == "csv" and file.source.header), more)
    target.write_bytes(data[:end])
    return Beginning(replace(file, path=target), not more and end == len(data))


def _end(data: bytes, mark: bytes, lines: int, more: bool) -> int:
    """Where the sample ends: after so many lines, or after the last whole one where there is more."""
    at = 0
    for _ in range(lines):
        found = data.find(mark, at)
        while len(mark) == 2 and found % 2:  # UTF-16: a line break begins at an even place
            found = data.find(mark, found + 1)
        if found < 0:
            return at if more and at else len(data)
        at = found + len(mark)
    return at


def _parquet(file: SourceFile, folder: Path, rows: int) -> Beginning:
    import pyarrow.parquet as pq

    assert file.path is not None
    target = folder / f"{file.key}-begin.parquet"
    with pq.ParquetFile(file.path) as source, pq.ParquetWriter(target, source.schema_arrow) as out:
        for batch in source.iter_batches(batch_size=rows):
            out.write_batch(batch)
            break
        whole = source.metadata.num_rows <= rows
    return Beginning(replace(file, path=target), whole)
