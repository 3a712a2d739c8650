"""Which source carries a candidate, and the history events behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recall.mixture import Mixture
from recall.recallers.content import Content
from recall.recallers.query import RowQuery
from recall.types import Because

INTEREST = "interest"
"""Source of an item that a stated interest brought."""

_TOLD = {"evergreen": "popular"}
"""Sources that a reason tells as another: how many people had it is what both say."""

_SHARE = 1e-6
"""Contributions below this share of the largest are not told."""


def explain(mixture: Mixture, query: RowQuery, items: np.ndarray, events: Sequence[str]) -> list[Because]:
    """For each item row the source with the largest part of the blended score; `events` names the history's.

    An item that no source scores (it only fills the list) is told by its popularity.
    """
    parts = mixture.parts(query, items)
    names = list(mixture.sources)
    table = np.stack([parts[name] for name in names]) if names else np.zeros((0, len(items)), np.float32)
    carrying = table.argmax(axis=0) if len(names) else np.zeros(len(items), int)
    found: list[Because | None] = [None] * len(items)
    for number, name in enumerate(names):
        places = np.flatnonzero((carrying == number) & (table.max(axis=0) > 0))
        if name == "popular":
            places = np.flatnonzero((carrying == number) | (table.max(axis=0) <= 0))
        if not len(places):
            continue
        told = mixture.sources[name].explain(query, items[places])
        shares = [()] * len(places) if told.events is None else _strongest(told.events, events)
        people = [None] * len(places) if told.people is None else told.people.tolist()
        for place, mine, count in zip(places.tolist(), shares, people, strict=True):
            wished = name == Content.name and told.events is None
            found[place] = Because(INTEREST if wished else _TOLD.get(name, name), mine, count)
    return [because or Because("popular") for because in found]


def _strongest(shares: np.ndarray, events: Sequence[str]) -> Sequence[tuple[tuple[str, float], ...]]:
    """For each row of float32[m × h]: (event id, contribution), largest first; events that count against the
    item are left out."""
    order = np.argsort(-shares, axis=1, kind="stable")
    ordered = np.take_along_axis(shares, order, axis=1)
    floor = np.maximum(ordered[:, :1] * _SHARE, 0)
    counts = (ordered > floor).sum(axis=1).tolist()
    rows = zip(order.tolist(), ordered.tolist(), counts, strict=True)
    return [
        tuple((events[i], share) for i, share in zip(at[:n], mine[:n], strict=True)) for at, mine, n in rows
    ]
