"""A source's rows as they are, as an Ibis table on DuckDB: every column of a text file is text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recall.config import AccountSource, EventSource, ItemSource, Source
from recall.errors import DataError
from recall.sources.compressed import open_bytes, plain_suffix
from recall.sources.connection import identifier, literal
from recall.sources.filters import filter_columns

ENDINGS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}


def format_of(path: Path, source: Source) -> str:
    """'csv', 'parquet' or 'jsonl'."""
    return source.format if source.format != "auto" else ENDINGS.get(plain_suffix(path), "csv")


def csv_view(
    backend: Any, name: str, path: Path, columns: tuple[str, ...], source: Source, *, header: bool
) -> Any:
    """A view on a UTF-8 CSV file in which every row must be sound: DuckDB refuses the file otherwise.

    `strict_mode` with an explicit dialect never loses or merges rows silently; whatever it refuses goes
    through recall/sources/csv_scan.py.
    """
    options = {
        "auto_detect": "false",
        "header": "true" if header else "false",
        "delim": literal(source.delimiter),
        "quote": literal(source.quote),
        "escape": literal(source.escape if source.quote else ""),
        "columns": "{" + ", ".join(f"{literal(column)}: 'VARCHAR'" for column in columns) + "}",
        "strict_mode": "true",
        "compression": literal({".gz": "gzip", ".zst": "zstd"}.get(path.suffix, "none")),
        "max_line_size": "16777216",
        "new_line": _line_end(path),
    }
    arguments = ", ".join(f"{key} = {value}" for key, value in options.items())
    return _view(backend, name, f"SELECT * FROM read_csv({literal(str(path))}, {arguments})")


def parquet_view(backend: Any, name: str, path: Path) -> Any:
    return _view(backend, name, f"SELECT * FROM read_parquet({literal(str(path))})")


def jsonl_view(backend: Any, name: str, path: Path, source: Source) -> Any:
    """One row for each line that is not blank; `w_bad` marks lines that are no JSON object.

    Nested values are JSON text. Only the columns that the source names are there: other keys are ignored,
    and a key that no line has is simply empty everywhere.
    """
    options = {
        "auto_detect": "false",
        "header": "false",
        "delim": "'\x1f'",
        "quote": "''",
        "escape": "''",
        "columns": "{'line': 'VARCHAR'}",
        "strict_mode": "true",
        "compression": literal({".gz": "gzip", ".zst": "zstd"}.get(path.suffix, "none")),
        "max_line_size": "16777216",
        "new_line": _line_end(path),
    }
    arguments = ", ".join(f"{key} = {value}" for key, value in options.items())
    cells = [
        f"json_extract_string(sound, {literal(_pointer(column))}) AS {identifier(column)}"
        for column in wanted_columns(source)
    ]
    cells.append("coalesce(json_type(sound), '') <> 'OBJECT' AS w_bad")
    # CASE, because AND does not keep DuckDB from reading a malformed line.
    lines = f"SELECT line FROM read_csv({literal(str(path))}, {arguments}) WHERE line IS NOT NULL"
    sound = f"SELECT CASE WHEN json_valid(line) THEN line END AS sound FROM ({lines})"
    return _view(backend, name, f"SELECT {', '.join(cells)} FROM ({sound})")


def wanted_columns(source: Source) -> list[str]:
    """The columns that a source section names, its filter's included, each once."""
    found: list[str] = []
    if isinstance(source, AccountSource | EventSource | ItemSource):
        for value in source.columns.model_dump(exclude_none=True).values():
            found.extend(value.values() if isinstance(value, dict) else [value])
    if isinstance(source, ItemSource):
        found.extend(source.flags)
    if source.filter:
        found.extend(filter_columns(source.filter))
    return list(dict.fromkeys(found))


@contextmanager
def refused(name: str) -> Iterator[None]:
    """DuckDB's own errors as DataError."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{name}: can't be read: {reason}") from error


def _line_end(path: Path) -> str:
    """The first line's end. Left to itself DuckDB may take a carriage return in a quoted field for one."""
    with open_bytes(path) as file:
        return "'\\r\\n'" if file.readline(1 << 16).endswith(b"\r\n") else "'\\n'"


def _pointer(column: str) -> str:
    """`column` as a JSON path: a dot goes down into an object."""
    return "$." + ".".join(f'"{part}"' for part in column.replace('"', "").split("."))


def _view(backend: Any, name: str, select: str) -> Any:
    backend.raw_sql(f"CREATE OR REPLACE TEMP VIEW {identifier(name)} AS {select}")
    return backend.table(name)
