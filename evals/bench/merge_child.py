"""One merge of the bench in a process of its own, so that its CPU time and memory can be told."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evals.bench.merge_world import NOW, World


def whyrec(world: Path, out: Path, *, memory: str, threads: int) -> None:
    """`whyrec ingest` on the data set, with its ready links. Its build is where workspace/builds points."""
    from recall.merge import Inputs, ingest
    from recall.workspace import Workspace

    given = World(world, 0)
    links = pq.read_table(world / "links.parquet")

    def link(accounts: pa.Table, listings: pa.Table) -> pa.Table:
        kind = links["kind"]
        parts = []
        for name, found, key in (("person", accounts, "user"), ("item", listings, "listing")):
            mine = links.filter(pc.equal(kind, name))
            there = found.select(["platform", key]).rename_columns(["platform", "key"])
            parts.append(mine.join(there, ["platform", "key"], join_type="left semi"))
        order = [("kind", "ascending"), ("platform", "ascending"), ("key", "ascending")]
        return pa.concat_tables(parts).sort_by(order)

    inputs = Inputs(world, given.platforms, given.config(memory, threads))
    ingest(inputs, Workspace(out), link, now=NOW)


def main() -> None:
    name, world, out, memory, threads = sys.argv[1:]
    if name == "whyrec":
        merge = whyrec
    elif name == "duckdb":
        from evals.bench.merge_duckdb import merge
    else:
        from evals.bench.merge_polars import merge
    merge(Path(world), Path(out), memory=memory, threads=int(threads))


if __name__ == "__main__":
    main()
