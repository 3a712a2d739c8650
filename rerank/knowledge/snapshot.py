"""What `whyrec train` hands to recall of the store's knowledge: facts of items, and vectors of their texts.

A generation under Workspace.knowledge; recall/content/snapshot.py says what it holds and reads it. A new one
is written only where something changed, and a text that is as it was keeps its vector.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recall.content.snapshot import (
    FACTS,
    HASHES,
    ITEMS,
    MANIFEST,
    SCHEMA,
    VECTORS,
    Snapshot,
    check,
    hash_of,
)
from recall.errors import DataError, NotFound
from recall.store import Store
from recall.store.links import load_ledger
from recall.workspace import Workspace
from rerank.knowledge.config import KnowledgeConfig
from rerank.knowledge.embeddings import Embedder, embedder_name
from rerank.knowledge.store import count_writes, load_facts
from rerank.knowledge.types import OPEN, Fact
from rerank.knowledge.vectors import KnownVectors
from rerank.types import Deadline

KEPT = 2
"""Snapshots that stay."""

TEXT_CHARS = 2000
"""Of an item's text; most embedding models read no more than 512 tokens."""

CALL_SECONDS = 120.0
"""For one request to the endpoint, retries included."""

_ITEMS_AT_ONCE = 4000
_COLUMNS = ["item", "title", "year", "creators", "categories", "description"]

Progress = Callable[[str, int, int], None]


async def write_snapshot(
    workspace: Workspace, build: Path, store: Store, config: KnowledgeConfig, progress: Progress | None = None
) -> Path | None:
    """The snapshot for this build, made current; the one in use where nothing changed; None where there is
    nothing to know and never was.

    Call it only while no other process writes one. ModelError when the endpoint fails: then the earlier
    snapshot stays, and the next call goes on with the vectors that came in.
    """
    tell = progress or (lambda step, done, all: None)
    source = {
        "build": build.name,
        "writes": await count_writes(store),
        "open_world": config.open_world,
        "floor": config.floor,
        "embedder": embedder_name(config),
    }
    before = _current(workspace)
    if before is not None and before[1].get("source") == source:
        return before[0]
    if before is None and not source["writes"] and not config.embeddings_url:
        return None
    aliases = (await load_ledger(store)).aliases
    with workspace.knowledge.new("facts") as part:
        count = await _write_facts(part, build, store, config, aliases, tell)
        figures = {"facts": count}
        if config.embeddings_url:
            figures["vectors"] = await _write_vectors(workspace, part, build, config, before, tell)
        manifest = {
            "files": {path.name: hash_of(path) for path in sorted(part.iterdir())},
            "source": source,
            "figures": figures,
        }
        (part / MANIFEST).write_text(json.dumps(manifest, indent=1))
    folder = workspace.knowledge.use(part.stem)
    workspace.knowledge.prune(KEPT)
    _rows_file(workspace).unlink(missing_ok=True)
    return folder


def text_of(row: Mapping[str, Any], facts: Sequence[tuple[str, str, float]] = ()) -> str:
    """What an embedding model reads of an item: its own words, then the facts, a line for each field."""
    title = str(row.get("title") or "").strip()
    year = row.get("year")
    lines = [f"{title} ({year})" if title and year else title]
    lines += [", ".join(str(value) for value in row.get(name) or ()) for name in ("creators", "categories")]
    lines.append(str(row.get("description") or "").strip())
    by_kind: dict[str, list[str]] = {}
    for kind, value, _ in facts:
        by_kind.setdefault(kind, []).append(value)
    lines += [f"{kind}: {', '.join(values)}" for kind, values in sorted(by_kind.items())]
    return "\n".join(line for line in lines if line)[:TEXT_CHARS]


def _current(workspace: Workspace) -> tuple[Path, dict[str, Any]] | None:
    """The snapshot in use and its manifest; a damaged one counts as none."""
    try:
        folder = workspace.knowledge.current()
        return folder, check(folder)
    except (NotFound, DataError):
        return None


async def _write_facts(
    part: Path,
    build: Path,
    store: Store,
    config: KnowledgeConfig,
    aliases: Mapping[str, str],
    tell: Progress,
) -> int:
    """Facts of the build's items, those read under an older id included; returns how many."""
    older: dict[str, list[str]] = {}
    for old in aliases:
        older.setdefault(_newest(old, aliases), []).append(old)
    count = 0
    with pq.ParquetWriter(part / FACTS, SCHEMA) as writer:
        for done, total, rows in _batches(build, ["item"]):
            tell("reading facts", done, total)
            ids = [row["item"] for row in rows]
            asked = [*ids, *(old for id in ids for old in older.get(id, ()))]
            found = await load_facts(store, asked, open_world=config.open_world, floor=config.floor)
            table: list[dict[str, Any]] = []
            for id in ids:
                mine = found.get(id) or next((found[o] for o in older.get(id, ()) if o in found), ())
                table += [_row(id, fact) for fact in mine]
            writer.write_table(pa.Table.from_pylist(table, schema=SCHEMA))
            count += len(table)
    return count


def _row(item: str, fact: Fact) -> dict[str, Any]:
    return {
        "item": item,
        "kind": fact.kind,
        "value": fact.value,
        "confidence": fact.confidence,
        "open": fact.source == OPEN,
    }


def _newest(id: str, aliases: Mapping[str, str]) -> str:
    seen = {id}
    while (new := aliases.get(id)) is not None and new not in seen:
        seen.add(new)
        id = new
    return id


async def _write_vectors(
    workspace: Workspace,
    part: Path,
    build: Path,
    config: KnowledgeConfig,
    before: tuple[Path, dict[str, Any]] | None,
    tell: Progress,
) -> int:
    """A vector of each item that has text; those of unchanged texts are taken over."""
    facts = Snapshot.of_table(pq.read_table(part / FACTS))
    known = KnownVectors(_rows_file(workspace), embedder_name(config))
    if (
        before is not None
        and VECTORS in before[1]["files"]
        and before[1].get("source", {}).get("embedder") == embedder_name(config)
    ):
        known.take(np.load(before[0] / HASHES), np.load(before[0] / VECTORS))
    ids: list[bytes] = []
    hashes: list[bytes] = []
    at_once = config.embeddings_batch * config.concurrency
    async with Embedder(config) as embedder:
        for done, total, rows in _batches(build, _COLUMNS):
            told = facts.of([row["item"] for row in rows])
            missing: dict[bytes, str] = {}
            for row, mine in zip(rows, told, strict=True):
                if not (text := text_of(row, mine)):
                    continue
                ids.append(row["item"].encode())
                hashes.append(hash := known.hash(text))
                if not known.has(hash):
                    missing[hash] = text
            wanted = list(missing)
            for start in range(0, len(wanted), at_once):
                tell("embedding texts", done + round(start / len(wanted) * len(rows)), total)
                some = wanted[start : start + at_once]
                texts = [missing[hash] for hash in some]
                known.add(some, await embedder.embed(texts, Deadline.after(CALL_SECONDS)))
    np.save(part / VECTORS, known.of(hashes), allow_pickle=False)
    np.save(part / ITEMS, np.array(ids or [b""], dtype="S")[: len(ids)], allow_pickle=False)
    np.save(part / HASHES, np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32), allow_pickle=False)
    return len(ids)


def _batches(build: Path, columns: Sequence[str]) -> Iterator[tuple[int, int, list[dict[str, Any]]]]:
    """(items before, all, rows) of the build's items, in order. DataError when they can't be read."""
    try:
        with pq.ParquetFile(build / "items.parquet") as file:
            done, total = 0, file.metadata.num_rows
            for batch in file.iter_batches(_ITEMS_AT_ONCE, columns=list(columns)):
                rows = batch.to_pylist()
                yield done, total, rows
                done += len(rows)
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{build}/items.parquet can't be read ({error}); run `whyrec ingest` again"
        ) from error


def _rows_file(workspace: Workspace) -> Path:
    """Vectors that came in and are in no snapshot yet: a run that was cut off goes on."""
    return workspace.knowledge.folder / "embedded.rows"
