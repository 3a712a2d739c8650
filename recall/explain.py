"""Which source carries a candidate, and the history events behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recall.mixture import Mixture
from recall.recallers.query import RowQuery
from recall.types import Because

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
        for at, place in enumerate(places):
            shares = None if told.events is None else told.events[at]
            found[place] = Because(
                _TOLD.get(name, name),
                () if shares is None else _strongest(shares, events),
                None if told.people is None else int(told.people[at]),
            )
    return [because or Because("popular") for because in found]


def _strongest(shares: np.ndarray, events: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """(event id, contribution), largest first; events that count against the item are left out."""
    order = np.argsort(-shares, kind="stable")
    floor = float(shares[order[0]]) * _SHARE if len(order) else 0.0
    return tuple((events[i], float(shares[i])) for i in order if shares[i] > max(floor, 0.0))
