"""Items' texts, read from a build and a snapshot of knowledge when they are wanted, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recall.build_table import read_table
from recall.content.snapshot import Snapshot, open_vectors
from recall.content.words import words
from recall.errors import DataError
from recall.idmap import IdMap

WEIGHTS: Mapping[str, float] = {
    "title": 0.5,
    "creators": 1.0,
    "categories": 2.0,
    "description": 1.0,
    "facts": 2.0,
    "decade": 1.5,
}
"""How much a word counts in each field; set by hand on MovieLens 100k and MovieTweetings 100k."""

_COLUMNS = ["item", "title", "year", "creators", "categories", "description"]
_BATCH = 4096

Bag = dict[str, float]
"""Word → weight."""


@dataclass(frozen=True, slots=True)
class ItemTexts:
    """The texts of a dataset's items, which stay on disk."""

    build: Path
    knowledge: Path | None = None
    """A generation of Workspace.knowledge, or None."""
    owner: np.ndarray | None = None
    """int32[items]: the row of the build's items that each row of the dataset is; None: the same rows."""
    fields: frozenset[str] = frozenset(WEIGHTS)
    """What is read; fewer to see what each brings."""

    def of(self, owner: np.ndarray) -> ItemTexts:
        """For a dataset whose row r was this one's row owner[r]."""
        return replace(self, owner=owner if self.owner is None else self.owner[owner])

    def made(self) -> tuple[str, np.ndarray] | None:
        """(what made them, float32[rows of the build × e]) where the snapshot holds a model's vectors; zeros
        for an item without one."""
        known = open_vectors(self.knowledge) if self.knowledge is not None else None
        if known is None:
            return None
        embedder, items, vectors = known
        ids = IdMap.of(read_table(self.build, "items", ["item"])["item"].to_pylist())
        rows = ids.rows(items.astype(str).tolist())
        found = np.zeros((len(ids), vectors.shape[1]), np.float32)
        found[rows[rows >= 0]] = vectors[rows >= 0]
        return embedder, found

    def bags(self) -> Iterator[Bag]:
        """Of every row of the build's items, in order. DataError when they can't be read."""
        snapshot = Snapshot.open(self.knowledge) if self.knowledge and "facts" in self.fields else None
        try:
            with pq.ParquetFile(self.build / "items.parquet") as file:
                for batch in file.iter_batches(_BATCH, columns=_COLUMNS):
                    rows = batch.to_pylist()
                    facts = snapshot.of([row["item"] for row in rows]) if snapshot else [()] * len(rows)
                    for row, mine in zip(rows, facts, strict=True):
                        yield bag(row, mine, self.fields)
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"{self.build}/items.parquet can't be read ({error}); run `whyrec ingest` again"
            ) from error


def bag(
    row: Mapping[str, Any],
    facts: tuple[tuple[str, str, float], ...] = (),
    fields: frozenset[str] = frozenset(WEIGHTS),
) -> Bag:
    """The weighted words of one item. `row` has the columns of the build's items; a fact is (kind, value,
    confidence), and counts as its confidence does. A category, a creator or a fact of several words counts as
    a whole too."""
    found: Bag = {}

    def add(text: str | None, weight: float, *, whole: bool = False) -> None:
        cut = words(text or "")
        if whole and len(cut) > 1:
            cut = [*cut, " ".join(cut)[:48]]
        for word in cut:
            found[word] = found.get(word, 0.0) + weight

    if "title" in fields:
        add(row.get("title"), WEIGHTS["title"])
    for name in ("creators", "categories"):
        if name in fields:
            for value in row.get(name) or ():
                add(value, WEIGHTS[name], whole=True)
    if "description" in fields:
        add(row.get("description"), WEIGHTS["description"])
    if "decade" in fields and row.get("year"):
        add(f"{int(row['year']) // 10 * 10}s", WEIGHTS["decade"])
    if "facts" in fields:
        for _, value, confidence in facts:
            add(value, WEIGHTS["facts"] * confidence, whole=True)
    return found


def asked_for(text: str) -> Bag:
    """The words of a stated interest, each once; neighbours count as a whole too, as categories do."""
    cut = words(text, most=60)
    return dict.fromkeys([*cut, *(f"{a} {b}" for a, b in pairwise(cut))], 1.0)
