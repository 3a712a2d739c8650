"""The compiled inner product scan: one user or a block of users against item factors sorted by norm.

Scores are counted in whole quanta of 2⁻²² of the largest score that user and catalogue allow (‖user‖ times
the largest norm), about float32 rounding, so that scores equal within tolerance are equal. Quanta and
item row share one integer, quanta in the high half and the row inverted in the low half: one comparison
orders by score, then by row, and no two items are ever equal.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

QUANTA = np.float32(1 << 22)
ROW = np.int64(0xFFFFFFFF)
NOTHING = np.int64(-(2**62))
"""An empty place of a heap, below every key."""

# Sums may be reordered into vector registers; NaN and infinity keep their meaning (plain fastmath drops it).
_REORDER = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True)
def _rounding(k):  # type: ignore[no-untyped-def]
    """How far a float32 product of k factors can be off, as a share of ‖user‖ · ‖item‖, and of the norms."""
    return np.float32(k * 1.2e-7 + 1e-6)


@njit(nogil=True, cache=True, fastmath=_REORDER)
def _dot(factors, at, user):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for j in range(len(user)):
        total += factors[at, j] * user[j]
    return total


@njit(nogil=True, cache=True)
def _barred(row, exclude, start, stop, allowed):  # type: ignore[no-untyped-def]
    """Whether the row is not allowed, or is in exclude[start:stop], which is sorted."""
    if len(allowed) and not allowed[row]:
        return True
    end = stop
    while start < stop:
        middle = (start + stop) // 2
        if exclude[middle] < row:
            start = middle + 1
        else:
            stop = middle
    return start < end and exclude[start] == row


@njit(nogil=True, cache=True)
def _replace_least(heap, key):  # type: ignore[no-untyped-def]
    """Put `key` in place of the root of a min-heap."""
    at, size = 0, len(heap)
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = key


@njit(nogil=True, cache=True)
def _floor(heap, quantum):  # type: ignore[no-untyped-def]
    """No item scoring below this can enter the heap."""
    if heap[0] == NOTHING:
        return np.float32(-np.inf)
    return np.float32((heap[0] >> 32) - 0.5) * quantum


@njit(nogil=True, cache=True)
def scan(factors, norms, rows, user, norm, quantum, exclude, allowed, heap):  # type: ignore[no-untyped-def]
    """Fill `heap` (all NOTHING, one place for each wanted item) with the best keys; returns items scored.

    Stops when ‖user‖ · (next norm) can no longer reach the least key kept (Cauchy–Schwarz).
    """
    least = np.float32(-np.inf)
    slack = np.float32(1) + _rounding(len(user))
    for at in range(len(norms)):
        if norm * norms[at] * slack < least:
            return at
        score = _dot(factors, at, user)
        if score >= least:
            row = rows[at]
            key = (np.int64(np.rint(score / quantum)) << 32) | (ROW - row)
            if key > heap[0] and not _barred(row, exclude, 0, len(exclude), allowed):
                _replace_least(heap, key)
                least = _floor(heap, quantum)
    return len(norms)


def halves_are_fast() -> bool:
    """Whether this processor widens float16 by itself; without that the compiled code would lack a symbol."""
    import platform

    from llvmlite.binding import get_host_cpu_features

    return platform.machine() in ("aarch64", "arm64") or bool(get_host_cpu_features().get("f16c"))


@intrinsic
def _widen(typing, bits):  # type: ignore[no-untyped-def]
    """float32 of a float16's bits (numba has no float16 on processors)."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), generate


@njit(nogil=True, cache=True, fastmath=_REORDER)
def _dot_half(coarse, at, user):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for j in range(len(user)):
        total += _widen(coarse[at, j]) * user[j]  # type: ignore[call-arg]
    return total


@njit(nogil=True, cache=True)
def scan_half(coarse, factors, norms, rows, user, norm, quantum, exclude, allowed, heap):  # type: ignore[no-untyped-def]
    """As `scan` over a float16 copy (`coarse`, as uint16 bits): half the bytes are read.

    A float16 factor is off by at most 2⁻¹¹ of itself (2⁻²⁵ where it is tiny), so its score by at most
    2⁻¹¹ ‖user‖ ‖item‖ and a little; what might enter is scored again from `factors`: the result is exact.
    """
    least = np.float32(-np.inf)
    rounding = _rounding(len(user))
    slack = np.float32(1) + rounding
    error = np.float32(2.0**-11) + rounding
    tiny = norm * np.float32(np.sqrt(len(user)) * 2.0**-25)
    for at in range(len(norms)):
        reach = norm * norms[at]
        if reach * slack < least:
            return at
        if _dot_half(coarse, at, user) + reach * error + tiny >= least:
            score = _dot(factors, at, user)
            key = (np.int64(np.rint(score / quantum)) << 32) | (ROW - rows[at])
            if key > heap[0] and not _barred(rows[at], exclude, 0, len(exclude), allowed):
                _replace_least(heap, key)
                least = _floor(heap, quantum)
    return len(norms)


@njit(nogil=True, cache=True)
def push_tile(  # type: ignore[no-untyped-def]
    rough, start, factors, norms, rows, users, active, reach, quanta, offsets, exclude, allowed, heaps
):
    """Push a tile of matrix products into the heaps of the users in `active`.

    rough[u, t] is the product of user active[u] with item start + t, summed in another order than `_dot`:
    what might enter is scored again, so that one user and a block of users give the same result.
    """
    for u in range(len(active)):
        who = active[u]
        heap, quantum = heaps[who], quanta[who]
        slack = reach[who] * norms[start] * _rounding(users.shape[1])
        least = _floor(heap, quantum)
        for t in range(rough.shape[1]):
            if rough[u, t] + slack >= least:
                row = rows[start + t]
                score = _dot(factors, start + t, users[who])
                key = (np.int64(np.rint(score / quantum)) << 32) | (ROW - row)
                if key > heap[0] and not _barred(row, exclude, offsets[who], offsets[who + 1], allowed):
                    _replace_least(heap, key)
                    least = _floor(heap, quantum)


@njit(nogil=True, cache=True)
def still_open(active, reach, quanta, heaps, next_norm, k):  # type: ignore[no-untyped-def]
    """The users of `active` whose heaps an item of norm `next_norm` could still enter."""
    kept = 0
    slack = np.float32(1) + _rounding(k)
    for u in range(len(active)):
        who = active[u]
        if reach[who] * next_norm * slack >= _floor(heaps[who], quanta[who]):
            active[kept] = who
            kept += 1
    return active[:kept]
