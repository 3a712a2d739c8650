"""Ids and their rows: sorted fixed-width bytes, looked up by binary search, never parsed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class IdMap:
    """Ids in ascending byte order; row i of every array belongs to `ids[i]`. May be empty.

    `ids` is an array of dtype 'S<width>': 21 bytes an id, no pickle, no Python object per id.
    """

    ids: np.ndarray

    @classmethod
    def of(cls, ids: Sequence[str]) -> IdMap:
        """From distinct ids in any order."""
        return cls(np.unique(np.array([i.encode() for i in ids], dtype="S")) if len(ids) else _EMPTY)

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, id: str) -> int:
        """The id's row, or -1."""
        return int(self.rows([id])[0])

    def rows(self, ids: Sequence[str]) -> np.ndarray:
        """int32 rows in the order of `ids`; -1 for an id that is not here."""
        if not len(ids) or not len(self.ids):
            return np.full(len(ids), -1, np.int32)
        width = self.ids.dtype.itemsize
        # A dtype given here would cut longer ids to its width; a wider array would copy the whole map.
        keys = [i.encode(errors="surrogatepass") for i in ids]
        wanted = np.array([key if len(key) <= width else b"" for key in keys], dtype=self.ids.dtype)
        found = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        hit = (self.ids[found] == wanted) & (wanted != b"")
        return np.where(hit, found, -1).astype(np.int32)

    def rows_of(self, keys: np.ndarray) -> np.ndarray:
        """As `rows`, for ids as bytes (dtype 'S')."""
        if keys.dtype != self.ids.dtype or not len(keys) or not len(self.ids):
            return self.rows([key.decode(errors="surrogatepass") for key in keys.tolist()])
        found = np.minimum(np.searchsorted(self.ids, keys), len(self.ids) - 1)
        return np.where(self.ids[found] == keys, found, -1).astype(np.int32)

    def names(self, rows: np.ndarray | slice) -> list[str]:
        """Ids of these rows (integers in [0, len), or a slice)."""
        return [i.decode() for i in self.ids[rows].tolist()]


_EMPTY = np.zeros(0, dtype="S21")
