"""How a long list is cut for a model, and how several orders of it become one."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random


def sliding(n: int, window: int, stride: int) -> list[tuple[int, int]]:
    """(start, stop) of windows over n places from the back to the front; [] for an empty list.

    The last window always begins at 0, so that what was carried forward can come first. As in Sun et al.
    2023 (RankGPT). ValueError where windows would leave gaps.
    """
    if not 0 < stride <= window:
        raise ValueError(f"stride {stride}: must be between 1 and the window, {window}")
    spans, stop = [], n
    while stop > 0:
        start = max(0, stop - window)
        spans.append((start, stop))
        if start == 0:
            break
        stop -= stride
    return spans


def deal(places: Sequence[int], size: int) -> list[list[int]]:
    """`places` dealt like cards to the fewest groups of at most `size`: strong ones rarely meet early."""
    groups = -(-len(places) // size)
    return [list(places[group::groups]) for group in range(groups)]


def orders(n: int, shuffles: int, seed: int) -> list[list[int]]:
    """`shuffles` starting orders of n places: the given one first, then seeded permutations of it."""
    random = Random(seed)
    return [list(range(n))] + [random.sample(range(n), n) for _ in range(shuffles - 1)]


def aggregate(rankings: Sequence[Sequence[int]]) -> list[int]:
    """One order of several over the same places, by mean rank (Borda); ties go to the smaller place."""
    if not rankings:
        return []
    total = [0] * len(rankings[0])
    for ranking in rankings:
        for rank, place in enumerate(ranking):
            total[place] += rank
    return sorted(range(len(total)), key=lambda place: (total[place], place))
