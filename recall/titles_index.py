"""Search by title: all titles of a build, folded, in one Arrow column."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CLOSE = 80.0
"""Similarity (0 to 100) from which a title counts as a misspelt query; asked only where nothing holds it."""


class TitleIndex:
    """Titles and the items that have them; one item may have several. Immutable."""

    def __init__(self, items: pa.Array, titles: pa.Array) -> None:
        """Parallel text arrays; null titles find nothing."""
        self._items = items.cast(pa.string())
        self._keys = fold(titles.cast(pa.string()))

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> TitleIndex:
        """From (item id, title)."""
        both = list(pairs)
        return cls(pa.array([a for a, _ in both], pa.string()), pa.array([b for _, b in both], pa.string()))

    def search(self, text: str, limit: int) -> list[str]:
        """At most `limit` distinct item ids, best first: the same title, then one that begins with the text,
        then one with all its words, then one that holds them inside words; shorter ones first. Where no
        title has them, those that are written almost alike. An empty text finds nothing."""
        key = fold(pa.array([text], pa.string()))[0].as_py() or ""
        if not key or limit <= 0:
            return []
        holds = np.ones(len(self._keys), bool)
        for word in key.split():
            holds &= _bools(pc.match_substring(self._keys, word))
        rows = np.flatnonzero(holds)
        if not len(rows):
            return self._close(key, limit)
        found = self._keys.take(pa.array(rows))
        words = np.ones(len(rows), bool)
        for word in key.split():
            words &= _bools(pc.match_substring(pc.binary_join_element_wise("", found, "", " "), f" {word} "))
        kind = np.where(words, 2, 3)
        kind[_bools(pc.starts_with(found, key))] = 1
        kind[_bools(pc.equal(found, key))] = 0
        length = pc.fill_null(pc.utf8_length(found), 0).to_numpy(zero_copy_only=False)
        order = np.lexsort((rows, length, kind))
        return self._distinct(rows[order], limit)

    def _close(self, key: str, limit: int) -> list[str]:
        from rapidfuzz import fuzz, process

        keys = [each or "" for each in self._keys.to_pylist()]
        found = process.extract(key, keys, scorer=fuzz.ratio, limit=4 * limit, score_cutoff=CLOSE)
        return self._distinct(np.array([row for _, _, row in found], np.int64), limit)

    def _distinct(self, rows: np.ndarray, limit: int) -> list[str]:
        names = self._items.take(pa.array(rows, pa.int64())).to_pylist()
        return list(dict.fromkeys(names))[:limit]


def fold(titles: pa.Array) -> pa.Array:
    """Lower case, without diacritics; what is no letter or digit becomes one space."""
    plain = pc.replace_substring_regex(pc.utf8_normalize(titles, "NFKD"), r"\p{M}+", "")
    words = pc.replace_substring_regex(pc.utf8_lower(plain), r"[^\p{L}\p{N}]+", " ")
    return pc.utf8_trim_whitespace(words)


def _bools(mask: pa.Array) -> np.ndarray:
    found: np.ndarray = pc.fill_null(mask, False).to_numpy(zero_copy_only=False)
    return found
