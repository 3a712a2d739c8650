"""What may change the blend's order: fewer of a kind, more that differ, some that nobody knows yet."""

from __future__ import annotations

import hashlib

import numpy as np
from numba import njit

DEPTH = 300
"""First places that diversification re-orders; the rest follows as it was."""

FRESH = 100
"""Newest listings among which exploration draws."""


def diversified(scores: np.ndarray, factors: np.ndarray, share: float) -> np.ndarray:
    """Positions in a new order: maximal marginal relevance (Carbonell, Goldstein 1998).

    Each next item has the greatest (1 − share) · score − share · (largest cosine to one before it). `scores`
    float32[m], falling, count as parts of the first; `factors` float32[m × k], zeros resemble nothing.
    """
    depth = min(len(scores), DEPTH)
    if depth < 3 or share <= 0 or scores[0] <= 0:
        return np.arange(len(scores))
    near = factors[:depth].astype(np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", near, near))
    near /= np.maximum(norms, 1e-12)[:, None]
    order = _greedy((scores[:depth] / scores[0]).astype(np.float32), near, np.float32(share))
    return np.r_[order, np.arange(depth, len(scores))]


@njit(cache=True, nogil=True)
def _greedy(scores, near, share):  # type: ignore[no-untyped-def]
    m = len(scores)
    order = np.empty(m, np.int64)
    nearest = np.zeros(m, np.float32)
    taken = np.zeros(m, np.bool_)
    last = 0
    for place in range(m):
        if place:
            best = np.float32(-np.inf)
            for item in range(m):
                if taken[item]:
                    continue
                alike = np.float32(0)
                for j in range(near.shape[1]):
                    alike += near[item, j] * near[last, j]
                nearest[item] = max(nearest[item], alike)
                value = (1 - share) * scores[item] - share * nearest[item]
                if value > best:
                    best = value
                    order[place] = item
        else:
            order[0] = 0
        last = order[place]
        taken[last] = True
    return order


def explored(rows: np.ndarray, fresh: np.ndarray, n: int, *, rate: float, seed: int) -> np.ndarray:
    """At most n rows, in which each place goes to a new listing with probability `rate`.

    Places and `fresh` rows are drawn by `seed`; rows that are among the first n already are not drawn.
    """
    rows = rows[:n]
    fresh = fresh[~np.isin(fresh, rows)]
    rng = np.random.default_rng(seed)
    count = min(n, len(rows) + len(fresh))
    places = np.flatnonzero(rng.random(count) < rate)[: len(fresh)]
    if not len(places):
        return rows
    found = np.empty(min(n, len(rows) + len(places)), rows.dtype)
    places = places[places < len(found)]
    mine = np.zeros(len(found), bool)
    mine[places] = True
    found[mine] = rng.choice(fresh, len(places), replace=False)
    found[~mine] = rows[: len(found) - len(places)]
    return found


def draw_of(*parts: object) -> int:
    """A seed that is the same for the same parts, in every process."""
    text = "\x1f".join(map(str, parts)).encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())
