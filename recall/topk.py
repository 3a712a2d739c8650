"""Exact maximum inner product search over item factors sorted by norm.

The best items of a user tend to have large norms: scanning by falling norm, the search stops once the
Cauchy–Schwarz bound ‖user‖ · (next norm) is below the n-th best score. On trained ALS factors that is after a
few per cent of the catalogue; on factors with equal norms the whole of it is scanned, once, and a float16
copy halves what has to be read. Both functions release the GIL and may be called from several threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recall.scan import NOTHING, QUANTA, ROW, halves_are_fast, push_tile, scan, scan_half, still_open

FLAT = 0.5
"""A float16 copy is kept when a typical user's search would scan more than this share of the catalogue …"""

_LARGE = 16_000_000
"""… and its float32 factors take more bytes than this: smaller ones stay in the processor's caches."""

_TILE_BYTES = 1 << 18  # items of one tile and their products with _USERS users stay in the L2 cache together
_USERS = 256


@dataclass(frozen=True, slots=True)
class FactorIndex:
    """Items with factors, by falling norm; those without (all zeros) are left out."""

    factors: np.ndarray
    """float32[m × k], rows by falling norm"""
    rows: np.ndarray
    """int32[m]: the item row of each"""
    norms: np.ndarray
    """float32[m], falling"""
    coarse: np.ndarray | None = None
    """uint16[m × k]: the bits of a float16 copy, or None"""

    @classmethod
    def build(cls, factors: np.ndarray, *, half: bool | None = None) -> FactorIndex:
        """Sort float32[n × k] by norm. `half`: keep a float16 copy; None: where the norms are flat."""
        norms = np.sqrt(np.einsum("ij,ij->i", factors, factors, dtype=np.float64))
        order = np.argsort(-norms, kind="stable").astype(np.int32)
        order = order[: np.count_nonzero(norms > 0)]
        index = cls(np.ascontiguousarray(factors[order], np.float32), order, norms[order].astype(np.float32))
        if half is None:
            half = index.factors.nbytes > _LARGE and index.scanned_share() > FLAT
        if (
            half and halves_are_fast() and len(order) and np.abs(index.factors).max() < 60000
        ):  # within float16's range
            return cls(
                index.factors, index.rows, index.norms, index.factors.astype(np.float16).view(np.uint16)
            )
        return index

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> FactorIndex:
        """From the arrays that `arrays` gave."""
        coarse = arrays.get("coarse") if halves_are_fast() else None
        return cls(arrays["sorted"], arrays["order"], arrays["norms"], coarse)

    def arrays(self) -> dict[str, np.ndarray]:
        """What an artefact keeps."""
        kept = {"sorted": self.factors, "order": self.rows, "norms": self.norms}
        return kept if self.coarse is None else kept | {"coarse": self.coarse}

    def scanned_share(self, users: int = 32, n: int = 300) -> float:
        """Share of the catalogue that a search scans: the mean over items taken as users; 1 when empty."""
        if len(self.rows) == 0:
            return 1.0
        picks = np.linspace(0, len(self.rows) - 1, min(users, len(self.rows))).astype(int)
        seen = [_search(self, self.factors[pick], min(n, len(self.rows)), _NONE, _ALL)[1] for pick in picks]
        return float(np.mean(seen)) / len(self.rows)


_NONE = np.zeros(0, np.int32)
_ALL = np.zeros(0, np.bool_)


def top_k(
    index: FactorIndex,
    user: np.ndarray,
    n: int,
    exclude: np.ndarray | None = None,
    allowed: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The at most n best (item rows int32, scores float32), best first, equal scores by row.

    `user` is float32[k]; `exclude` sorted int32 item rows; `allowed` bool over all item rows. Fewer than n
    come back where no more are left; none for a user of zeros or not finite, whom every item suits alike.
    """
    user = np.ascontiguousarray(user, dtype=np.float32)
    n = max(0, min(n, len(index.rows)))
    if n == 0 or not np.isfinite(user).all() or not user.any():
        return np.zeros(0, np.int32), np.zeros(0, np.float32)
    heap, _ = _search(
        index, user, n, _NONE if exclude is None else exclude, _ALL if allowed is None else allowed
    )
    return _unpack(heap, _quantum(index, _norm(user)))


def top_k_block(
    index: FactorIndex,
    users: np.ndarray,
    n: int,
    exclude: tuple[np.ndarray, np.ndarray] | None = None,
    allowed: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """`top_k` for float32[u × k] users: (rows int32[u × n], scores float32[u × n]).

    `exclude` is (offsets int64[u + 1], item rows int32 sorted for each user). Where fewer than n are found
    the rest is row -1 and score -inf.
    """
    users = np.ascontiguousarray(users, dtype=np.float32)
    rows = np.full((len(users), max(n, 0)), -1, np.int32)
    scores = np.full(rows.shape, -np.inf, np.float32)
    kept = max(0, min(n, len(index.rows)))
    if kept == 0:
        return rows, scores
    offsets, barred = exclude or (np.zeros(len(users) + 1, np.int64), _NONE)
    for start in range(0, len(users), _USERS):
        stop = min(start + _USERS, len(users))
        heaps, quanta = _search_block(
            index,
            users[start:stop],
            kept,
            offsets[start : stop + 1],
            barred,
            _ALL if allowed is None else allowed,
        )
        for u, heap in enumerate(heaps):
            found_rows, found_scores = _unpack(heap, quanta[u])
            rows[start + u, : len(found_rows)] = found_rows
            scores[start + u, : len(found_rows)] = found_scores
    return rows, scores


def _search(
    index: FactorIndex, user: np.ndarray, n: int, exclude: np.ndarray, allowed: np.ndarray
) -> tuple[np.ndarray, int]:
    norm = _norm(user)
    heap = np.full(n, NOTHING)
    given = (
        index.factors,
        index.norms,
        index.rows,
        user,
        norm,
        _quantum(index, norm),
        exclude,
        allowed,
        heap,
    )
    scanned = scan(*given) if index.coarse is None else scan_half(index.coarse, *given)
    return heap, int(scanned)


def _search_block(
    index: FactorIndex,
    users: np.ndarray,
    n: int,
    offsets: np.ndarray,
    exclude: np.ndarray,
    allowed: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    reach = np.sqrt(np.einsum("ij,ij->i", users, users, dtype=np.float64)).astype(np.float32)
    quanta = np.maximum(reach * index.norms[0] / QUANTA, np.float32(1e-37))
    heaps = np.full((len(users), n), NOTHING)
    active = np.flatnonzero(np.isfinite(reach) & (reach > 0))
    tile = max(64, _TILE_BYTES // (4 * index.factors.shape[1]))
    start, size = 0, min(tile, max(64, n))
    while start < len(index.rows) and len(active):
        items = index.factors[start : start + size]
        mine = users if len(active) == len(users) else users[active]
        rough = mine @ items.T
        push_tile(
            rough,
            start,
            index.factors,
            index.norms,
            index.rows,
            users,
            active,
            reach,
            quanta,
            offsets,
            exclude,
            allowed,
            heaps,
        )
        start += len(items)
        size = min(tile, size * 2)
        if start < len(index.rows):
            active = still_open(active, reach, quanta, heaps, index.norms[start], users.shape[1])
    return heaps, quanta


def _norm(user: np.ndarray) -> np.float32:
    return np.float32(np.sqrt(np.dot(user.astype(np.float64), user)))


def _quantum(index: FactorIndex, norm: np.float32) -> np.float32:
    return np.float32(max(norm * index.norms[0] / QUANTA, np.float32(1e-37)))


def _unpack(heap: np.ndarray, quantum: np.float32) -> tuple[np.ndarray, np.ndarray]:
    keys = -np.sort(-heap[heap != NOTHING])
    return (ROW - (keys & ROW)).astype(np.int32), ((keys >> 32) * quantum).astype(np.float32)
