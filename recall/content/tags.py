"""Facts that several items share, as plain arrays: what two items have in common can be counted at once."""

from __future__ import annotations

import numpy as np
from numba import njit

from recall.attributes import Tags
from recall.build_table import read_table
from recall.content.snapshot import Snapshot
from recall.content.texts import ItemTexts

LONGEST = 60
"""Bytes of a fact's name that are kept."""

_BATCH = 10_000


def tag_arrays(texts: ItemTexts | None, items: int) -> dict[str, np.ndarray]:
    """`fact_starts` int64[items + 1], `fact_codes` int32, sorted in an item, and `fact_names` S, of the facts
    ("kind: value", without case) that two items or more have."""
    if texts is None or texts.knowledge is None or "facts" not in texts.fields:
        return _packed(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, "S1"), items)
    snapshot = Snapshot.open(texts.knowledge)
    ids = read_table(texts.build, "items", ["item"])["item"].to_pylist()
    known: dict[bytes, int] = {}
    item: list[int] = []
    code: list[int] = []
    for start in range(0, len(ids), _BATCH):
        for row, facts in enumerate(snapshot.of(ids[start : start + _BATCH]), start):
            for kind, value, _ in facts:
                name = f"{kind}: {value}".casefold().encode()[:LONGEST]
                item.append(row)
                code.append(known.setdefault(name, len(known)))
    pairs = np.unique(np.array([item, code], np.int64).reshape(2, -1), axis=1)
    counts = np.bincount(pairs[1], minlength=len(known))
    pairs = pairs[:, counts[pairs[1]] > 1]
    kept = np.flatnonzero(counts > 1)
    names = np.array(list(known), "S")[kept] if len(kept) else np.zeros(0, "S1")
    row, codes = pairs[0], np.searchsorted(kept, pairs[1])
    if texts.owner is None:
        return _packed(row, codes, names, items)
    starts = np.searchsorted(row, np.arange(len(ids) + 1))
    lengths = np.diff(starts)[texts.owner]
    ends = np.cumsum(lengths)
    at = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts[texts.owner] - (ends - lengths), lengths)
    return _packed(np.repeat(np.arange(items), lengths), codes[at], names, items)


def _packed(row: np.ndarray, codes: np.ndarray, names: np.ndarray, items: int) -> dict[str, np.ndarray]:
    """`row` ascending."""
    starts = np.searchsorted(row, np.arange(items + 1)).astype(np.int64)
    return {"fact_starts": starts, "fact_codes": codes.astype(np.int32), "fact_names": names}


def in_common(tags: Tags, liked: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """float32[rows]: how many facts each row shares with any of the liked items."""
    mine = np.zeros(len(tags.names), np.bool_)
    for item in liked.tolist():
        mine[tags.of(item)] = True
    return np.asarray(_count(tags.starts, tags.codes, mine, rows))


@njit(cache=True, nogil=True)
def _count(starts, codes, mine, rows):  # type: ignore[no-untyped-def]
    found = np.zeros(len(rows), np.float32)
    for at in range(len(rows)):
        for place in range(starts[rows[at]], starts[rows[at] + 1]):
            if mine[codes[place]]:
                found[at] += 1
    return found
