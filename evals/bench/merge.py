"""`whyrec bench merge`: ingest beside hand-written DuckDB and Polars scripts that yield the same rows.

Each runs in a process of its own on generated platforms (evals/bench/merge_world.py); CPU time is user and
system time of that process, memory its peak. The ready links are given to all three: linking is Python over
distinct keys and titles, and is not compared. Ingest also writes what the scripts don't: staged files for the
next ingest, rejects with their raw rows, people, listings, items and a report.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from evals.bench.figure import Figure
from evals.bench.merge_world import World, generated
from recall.workspace import Workspace

ROWS, QUICK_ROWS = 10_000_000, 300_000
MEMORY, THREADS = "1GB", 2
PEERS = ("duckdb", "polars")
_BATCH = 200_000


@dataclass(frozen=True, slots=True)
class Used:
    """What one process took."""

    cpu: float
    """Seconds of user and system time."""
    wall: float
    """Seconds."""
    peak: float
    """GB of resident memory (10⁹ bytes)."""


def run(
    *,
    quick: bool,
    cache: Path,
    workspace: Workspace | None,
    progress: Callable[[str], None],
    rows: int | None = None,
) -> list[Figure]:
    """Ours and both peers on `rows` rows, then ours again on the same workspace, then, unless quick, ours on
    three times as many. 10 million rows take some ten minutes and 3 GB of disk in the cache."""
    count = rows or (QUICK_ROWS if quick else ROWS)
    progress(f"generating {count:,} rows on three platforms")
    world = generated(count, cache)
    figures = []
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        home = Path(folder)
        progress("whyrec ingest")
        ours = _merge("whyrec", world, home / "whyrec")
        build = Workspace(home / "whyrec").builds.current()
        figures += _figures(f"merge of {count:,} rows", ours, None, None, None)
        for peer in PEERS:
            progress(f"the {peer} script")
            theirs = _merge(peer, world, home / peer)
            agree = agreement(build, home / peer)
            figures += _figures(f"merge of {count:,} rows", theirs, peer, ours, agree)
            shutil.rmtree(home / peer)
        progress("whyrec ingest again, nothing changed")
        again = _merge("whyrec", world, home / "whyrec")
        figures.append(
            Figure(
                "ingest again, nothing changed",
                round(again.cpu, 2),
                "CPU s",
                "the first",
                again.cpu / ours.cpu,
            )
        )
        shutil.rmtree(home / "whyrec")
        if not quick:
            progress(f"whyrec ingest of {3 * count:,} rows")
            more = _merge("whyrec", generated(3 * count, cache), home / "whyrec")
            figures += _figures(f"merge of {3 * count:,} rows", more, None, None, None)
            name = f"{3 * count:,} rows to {count:,}"
            figures.append(Figure(name, round(more.cpu / ours.cpu, 3), "× CPU s"))
            figures.append(Figure(name, round(more.wall / ours.wall, 3), "× wall s"))
    return figures


def _figures(name: str, used: Used, peer: str | None, ours: Used | None, agree: float | None) -> list[Figure]:
    """`ours` beside a peer's own figures."""
    values = (("CPU s", used.cpu, ours and ours.cpu), ("GB peak", used.peak, ours and ours.peak))
    return [
        Figure(name, round(value, 3), unit, peer, mine / value if mine else None, agree)
        for unit, value, mine in (*values, ("wall s", used.wall, None))
    ]


def _merge(name: str, world: World, out: Path) -> Used:
    """Run evals/bench/merge_child.py and wait for it. RuntimeError when it fails."""
    out.mkdir(exist_ok=True)
    arguments = [sys.executable, "-m", "evals.bench.merge_child", name]
    arguments += [str(world.folder), str(out), MEMORY, str(THREADS)]
    environment = {**os.environ, "POLARS_MAX_THREADS": str(THREADS)}
    started = time.perf_counter()
    child = os.posix_spawn(sys.executable, arguments, environment)
    _, status, used = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"the merge by {name} ended with {os.waitstatus_to_exitcode(status)}")
    scale = 1 if sys.platform == "darwin" else 1024
    wall = time.perf_counter() - started
    return Used(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * scale / 1e9)


def agreement(ours: Path, theirs: Path) -> float:
    """Share of rows that are equal at the same place in events.parquet and interactions.parquet."""
    equal = total = 0
    for name in ("events", "interactions"):
        one, other = (pq.ParquetFile(folder / f"{name}.parquet") for folder in (ours, theirs))
        total += max(one.metadata.num_rows, other.metadata.num_rows)
        for left, right in zip(_batches(one), _batches(other), strict=False):
            equal += _equal(left, right)
    return equal / total if total else 1.0


def _batches(file: pq.ParquetFile) -> Iterator[pa.Table]:
    """Tables of _BATCH rows, whatever the file's row groups are."""
    held = file.schema_arrow.empty_table()
    for batch in file.iter_batches(batch_size=_BATCH):
        held = pa.concat_tables([held, pa.Table.from_batches([batch])])
        while len(held) >= _BATCH:
            yield held.slice(0, _BATCH)
            held = held.slice(_BATCH)
    if len(held):
        yield held


def _equal(one: pa.Table, other: pa.Table) -> int:
    import pyarrow.compute as pc

    size = min(len(one), len(other))
    one, other = one.slice(0, size), other.select(one.column_names).slice(0, size).cast(one.schema)
    if one.equals(other):
        return size
    same = pa.array([True] * size)
    for name in one.column_names:
        both_null = pc.and_(pc.is_null(one[name]), pc.is_null(other[name]))
        same = pc.and_(same, pc.or_(both_null, pc.fill_null(pc.equal(one[name], other[name]), False)))
    return int(pc.sum(same).as_py() or 0)
