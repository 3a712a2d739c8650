"""The recall order and the model's become one: a weighted sum of ranks, and a cap on every item's move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from rerank.types import Ranking


@dataclass(frozen=True, slots=True)
class Blended:
    """`order[i]` is the recall position of what comes to place i; `scores` (in (0, 1]) go with it."""

    order: tuple[int, ...]
    scores: tuple[float, ...]


def blend(recall_scores: Sequence[float], ranking: Ranking, weight: float, cap: int | None = None) -> Blended:
    """Order all candidates; `recall_scores` are in recall order, `ranking` covers the first of them.

    The first m = len(ranking.order) places are ordered by (1 − weight) · recall + weight · model, where both
    are 1 − place / m: scores of a model and of recall have no common unit, ranks have. An item that the
    model was not asked about counts as where recall put it. Ties keep recall order, so weight 0 gives recall
    order exactly. The rest follows in recall order. `cap` is the most places that an item may move.
    """
    n, m = len(recall_scores), len(ranking.order)
    if m > n:
        raise ValueError(f"a ranking of {m} places for {n} candidates")
    if not 0 <= weight <= 1:
        raise ValueError(f"blend weight {weight}: must be in [0, 1]")
    total = [(1 - weight) * (1 - place / m) for place in range(m)]
    for place, position in enumerate(ranking.order):
        said = position if ranking.places[place] == "recall" else place
        total[position] += weight * (1 - said / m)
    order = sorted(range(m), key=lambda position: (-round(total[position], 12), position))
    if cap is not None:
        order = _capped(order, cap)
    scores = _falling([total[position] for position in order])
    last = scores[-1] if scores else 1.0
    scores.extend(last * (n - place) / (n - m + 1) for place in range(m, n))
    return Blended((*order, *range(m, n)), tuple(scores))


def _capped(order: list[int], cap: int) -> list[int]:
    """The nearest order to `order` in which nobody is more than `cap` places from his own number.

    Place by place: the item whose last allowed place this is, else the best of those that may come here.
    Each place is the last one of a single item, so the choice never makes a later place impossible.
    """
    n = len(order)
    wish = {position: place for place, position in enumerate(order)}
    ready = [(wish[position], position) for position in range(min(cap, n))]
    heapify(ready)
    done: set[int] = set()
    capped: list[int] = []
    for place in range(n):
        if place + cap < n:
            heappush(ready, (wish[place + cap], place + cap))
        due = place - cap
        if due >= 0 and due not in done:
            chosen = due
        else:
            while ready[0][1] in done:
                heappop(ready)
            chosen = heappop(ready)[1]
        done.add(chosen)
        capped.append(chosen)
    return capped


def _falling(scores: list[float]) -> list[float]:
    """`scores` made non-increasing (a cap may put a lower one first), so that they agree with the order."""
    lowest = float("inf")
    falling = []
    for score in scores:
        lowest = min(lowest, score)
        falling.append(lowest)
    return falling
