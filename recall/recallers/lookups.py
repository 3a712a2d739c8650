"""Compiled loops of a question: small arrays, where a numpy call costs more than what it does."""

from __future__ import annotations

import threading

import numpy as np
from numba import njit

_HELD = threading.local()


def zeros_of_thread(size: int) -> np.ndarray:
    """float32[≥ size], all 0, this thread's own; whoever writes to it leaves it all 0 again."""
    held: np.ndarray | None = getattr(_HELD, "zeros", None)
    if held is None or len(held) < size:
        held = _HELD.zeros = np.zeros(size, np.float32)
    return held


@njit(cache=True, nogil=True)
def add_up(starts, items, scores, sources, weights, sums):  # type: ignore[no-untyped-def]
    """Add weight · score of each source's neighbours to `sums`; the rows that were 0 before, in any order."""
    most = 0
    for source in sources:
        most += starts[source + 1] - starts[source]
    touched = np.empty(most, np.int32)
    count = 0
    for number in range(len(sources)):
        weight = weights[number]
        for at in range(starts[sources[number]], starts[sources[number] + 1]):
            value = weight * scores[at]
            if value > 0:
                row = items[at]
                if sums[row] == 0:
                    touched[count] = row
                    count += 1
                sums[row] += value
    return touched[:count]


@njit(cache=True, nogil=True)
def by_item(places, weights, alpha, cap, recency):  # type: ignore[no-untyped-def]
    """Events newest first → (their distinct places, ascending; float32 confidence of each; float32 share that
    each event has of it).

    Confidence is alpha · min(Σ weights, cap), halved for every `recency` (0: never) newer items.
    """
    order = np.argsort(places, kind="mergesort")
    events = len(places)
    newest = np.zeros(events, np.int64)  # event → 1 where it is its item's newest
    run = np.empty(events, np.int64)  # event → number of its item
    count = -1
    for at in range(events):
        event = order[at]
        if at == 0 or places[event] != places[order[at - 1]]:
            count += 1
            newest[event] = 1
        run[event] = count
    distinct = np.empty(count + 1, np.int64)
    whole = np.zeros(count + 1, np.float64)
    age = np.empty(count + 1, np.int64)
    newer = 0
    for event in range(events):
        whole[run[event]] += weights[event]
        if newest[event]:
            distinct[run[event]] = places[event]
            age[run[event]] = newer
            newer += 1
    confidence = np.empty(count + 1, np.float32)
    for item in range(count + 1):
        value = alpha * min(whole[item], cap)
        if recency > 0:
            value *= 2.0 ** (-age[item] / recency)
        confidence[item] = value
    share = np.empty(events, np.float32)
    for event in range(events):
        share[event] = confidence[run[event]] * (weights[event] / max(whole[run[event]], 1e-300))
    return distinct, confidence, share


@njit(cache=True, nogil=True, fastmath=True)
def dots(table, places, user):  # type: ignore[no-untyped-def]
    """float32: each place's row of the table times the user; 0 for a place below 0. Copies no rows."""
    out = np.zeros(len(places), np.float32)
    size = len(user)
    for at in range(len(places)):
        place = places[at]
        if place >= 0:
            total = np.float32(0)
            for k in range(size):
                total += table[place, k] * user[k]
            out[at] = total
    return out


@njit(cache=True, nogil=True)
def weighted_sum(table, places, weights):  # type: ignore[no-untyped-def]
    """float32[k]: the sum of the places' rows, each times its weight. Places are not below 0."""
    size = table.shape[1]
    out = np.zeros(size, np.float32)
    for at in range(len(places)):
        weight = weights[at]
        for k in range(size):
            out[k] += weight * table[places[at], k]
    return out
