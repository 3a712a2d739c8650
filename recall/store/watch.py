"""Whether something was written to the store since one looked, without reading it."""

from __future__ import annotations

import time
from pathlib import Path

from recall.store.engine import Store

_TICK_NS = 50_000_000
"""A file's time has the kernel's tick as its grain: one changed this recently may change again unseen."""


def written(store: Store) -> tuple[object, ...] | None:
    """What changes with every commit of the SQLite file: two `stat` calls. None where that can't be told:
    PostgreSQL, or a commit a moment ago."""
    if not store.sqlite:
        return None
    state: list[object] = []
    for suffix in ("", "-wal"):
        try:
            found = Path(f"{store.url.database}{suffix}").stat()
        except FileNotFoundError:
            state.append(None)
            continue
        if time.time_ns() - found.st_mtime_ns < _TICK_NS:
            return None
        state.append((found.st_ino, found.st_size, found.st_mtime_ns))
    return tuple(state)
