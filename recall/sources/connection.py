"""The embedded engine: Ibis on a DuckDB that keeps to its memory limit and spills into the workspace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recall.config import MergeConfig


@contextmanager
def connect(config: MergeConfig, spill: Path) -> Iterator[Any]:
    """An Ibis backend on an in-memory DuckDB; nothing is fetched from the network (no extensions)."""
    import ibis

    spill.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {
        "memory_limit": config.memory_limit,
        "temp_directory": str(spill),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if config.threads:
        options["threads"] = config.threads
    backend = ibis.duckdb.connect(":memory:", **options)
    try:
        yield backend
    finally:
        backend.disconnect()


def literal(text: str) -> str:
    """`text` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """`name` as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
