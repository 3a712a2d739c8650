"""Taking a person out of what evaluations and fits keep in a workspace."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from recall.errors import DataError

FOLDER, PROBES = "evals", "probes"
FITS, PROBES = "fits", "probes"
"""Folders of the workspace: runs and worlds; a model's recorded orders; its answers to probes."""
POOL, RESULTS, CALLS = "pool.jsonl", "results.jsonl", "calls.jsonl"


def forget(workspace: Path, persons: Collection[str]) -> int:
    """Remove these persons' rows from runs, fits and probes, and the calls made for them; returns rows.

    A pool without a person has another hash: its run is compared, not resumed. The worlds that runs were made
    in are removed whole: the next run makes its own from the current build.
    DataError when a run is being written: it is done again after that one.
    """
    gone = set(persons)
    logs = [path for folder in (FITS, PROBES) for path in sorted((workspace / folder).glob("*.jsonl"))]
    removed = sum(_filter(path, lambda row: _person(row) not in gone) for path in logs)
    shutil.rmtree(workspace / FOLDER / "worlds", ignore_errors=True)
    for path in sorted((workspace / PROBES).rglob("*.jsonl")):
        removed += _filter(path, lambda row: (row.get("said") or {}).get("person") not in gone)
    for run in sorted((workspace / FOLDER / "runs").glob("*")):
        mine = _filter(run / RESULTS, lambda row: row.get("person") not in gone)
        mine += _cases(run / POOL, gone)
        if mine:
            mine += _filter(run / CALLS, _used(_keys(run / RESULTS)))
        removed += mine
    return removed


def _person(row: Any) -> str | None:
    """Of a row of fits or probes; None of a header."""
    return row.get("person") or row.get("said", {}).get("person")


def _cases(path: Path, gone: Collection[str]) -> int:
    """The pool is written anew under its new hash."""
    if not path.exists():
        return 0
    from evals.cases import Pool

    pool = Pool.load(path)
    kept = [case for case in pool.cases if case.person not in gone]
    if len(kept) < len(pool.cases):
        Pool.of(pool.header, kept, pool.items.values()).save(path)
    return len(pool.cases) - len(kept)


def _used(keys: Collection[str]) -> Callable[[Any], bool]:
    return lambda row: row.get("key") in keys


def _keys(results: Path) -> set[str]:
    """Of the calls that the rows of `results` were made with."""
    return {key for row in _rows(results) for key in row.get("calls", ())}


def _rows(path: Path) -> list[Any]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def _filter(path: Path, keep: Callable[[Any], bool]) -> int:
    """Rewrites the file in place, so that a lock on it holds; the number of lines that went."""
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(f"{path}: a run writes to it; erase again when it has ended") from None
        lines = file.read().splitlines(keepends=True)
        kept = [line for line in lines if not line.endswith(b"\n") or keep(json.loads(line))]
        if len(kept) < len(lines):
            file.seek(0)
            file.write(b"".join(kept))
            file.truncate()
        return len(lines) - len(kept)
