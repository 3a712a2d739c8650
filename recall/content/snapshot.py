"""A snapshot of knowledge, as recall reads it: facts of items, and a model's vectors of their texts, if any.

    facts.parquet       item, kind, value (text), confidence (float32), open (bool); sorted by item
    vectors.npy         float32[n × d], only where an embeddings endpoint is configured
    items.npy           S[n], sorted: the item of each vector
    hashes.npy          uint8[n × 32]: of the text that each vector was made of
    manifest.json       sha256 of the files, and what made the vectors

What writes it is rerank/knowledge/snapshot.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recall.errors import DataError

FACTS, VECTORS, ITEMS, HASHES = "facts.parquet", "vectors.npy", "items.npy", "hashes.npy"
MANIFEST = "manifest.json"

SCHEMA = pa.schema(
    [
        ("item", pa.string()),
        ("kind", pa.string()),
        ("value", pa.string()),
        ("confidence", pa.float32()),
        ("open", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Facts sorted by item. May be empty."""

    facts: pa.Table
    items: np.ndarray
    """S: the item of each fact"""

    @classmethod
    def open(cls, folder: Path) -> Snapshot:
        """DataError when a file is missing, damaged or not what the manifest states."""
        check(folder)
        try:
            table = pq.read_table(folder / FACTS, schema=SCHEMA).combine_chunks()
        except (OSError, pa.ArrowException) as error:
            raise _refused(folder, f"{FACTS} can't be read ({error})") from error
        found = cls.of_table(table)
        if (found.items[1:] < found.items[:-1]).any():
            raise _refused(folder, f"{FACTS} is not sorted by item")
        return found

    @classmethod
    def of_table(cls, table: pa.Table) -> Snapshot:
        """Of facts.parquet's content."""
        ids = table["item"].cast(pa.binary()).to_pylist()
        items = np.array(ids, dtype="S") if ids else np.zeros(0, "S1")
        return cls(table.select(["kind", "value", "confidence"]), items)

    def of(self, items: Sequence[str]) -> list[tuple[tuple[str, str, float], ...]]:
        """(kind, value, confidence) of each item's facts."""
        wanted = np.array([item.encode() for item in items], dtype="S")
        starts = np.searchsorted(self.items, wanted)
        stops = np.searchsorted(self.items, wanted, side="right")
        at = np.concatenate([np.arange(a, b) for a, b in zip(starts, stops, strict=True)] or [np.zeros(0)])
        rows = self.facts.take(pa.array(at, pa.int64())).to_pydict()
        told = list(zip(rows["kind"], rows["value"], rows["confidence"], strict=True))
        ends = np.cumsum(stops - starts)
        return [
            tuple(told[end - count : end])
            for end, count in zip(ends.tolist(), (stops - starts).tolist(), strict=True)
        ]


def open_vectors(folder: Path) -> tuple[str, np.ndarray, np.ndarray] | None:
    """(what made them, S[n] items, float32[n × d] mapped); None where the snapshot has no vectors.

    DataError when a file is missing, damaged or not what the manifest states.
    """
    manifest = check(folder)
    if VECTORS not in manifest["files"]:
        return None
    items, vectors = np.load(folder / ITEMS), np.load(folder / VECTORS, mmap_mode="r")
    if len(items) != len(vectors) or vectors.ndim != 2:
        raise _refused(folder, f"{VECTORS} and {ITEMS} do not fit together")
    return str(manifest.get("source", {}).get("embedder", "")), items, vectors


def check(folder: Path) -> dict[str, Any]:
    """The manifest, once every file that it names has the stated sha256."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        stated = dict(manifest["files"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _refused(folder, f"{MANIFEST} can't be read ({error})") from error
    for name, sha256 in stated.items():
        try:
            found = hash_of(folder / name)
        except OSError as error:
            raise _refused(folder, f"{name} can't be read ({error})") from error
        if found != sha256:
            raise _refused(folder, f"{name} is not what was written")
    return manifest


def hash_of(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refused(folder: Path, why: str) -> DataError:
    return DataError(f"{folder}: {why}; remove the folder, and `whyrec train` writes a new one")
