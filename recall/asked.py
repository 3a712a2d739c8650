"""A query in ids becomes one in rows, with the rules applied."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recall.idmap import IdMap
from recall.recallers.query import ANY, RowQuery, distinct
from recall.recorded import Recorded
from recall.rules import Rules
from recall.types import Event, Query

_HEAVIEST = 100.0
"""An event counts at most so much: beyond it float32 can't solve the fold-in system (tried: 1e30 can't)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The query in rows, how many items each rule removed, and which of the history's events stay."""

    rows: RowQuery
    removed: dict[str, int]
    history: Sequence[Event]
    keep: np.ndarray | None
    """bool over the history; None: all of it."""

    @property
    def events(self) -> list[str]:
        ids = [event.id for event in self.history]
        return (
            ids
            if self.keep is None
            else [id for id, kept in zip(ids, self.keep.tolist(), strict=True) if kept]
        )


def known(items: IdMap, ids: Iterable[str]) -> np.ndarray:
    """int32: sorted distinct rows of the ids that the artefact knows."""
    rows = items.rows(list(ids))
    return distinct(rows[rows >= 0])


def asked(
    query: Query, *, items: IdMap, platforms: Mapping[str, int], rules: Rules, blocked: np.ndarray
) -> Asked:
    """Events count with their weight, as in training: how sure a link is decides what is merged, not how much
    of it counts."""
    as_of = int(time.time()) if query.as_of is None else query.as_of
    platform = ANY if query.platform is None else platforms.get(query.platform, ANY)
    mask, taken = rules.allowed(query.filters, platform=platform, as_of=as_of, blocked=blocked)
    allowed, removed = mask.copy(), dict(taken)
    history = _columns(query.history.events, items, platforms)
    keep = None
    if len(history.items) and history.items.min() < 0:
        keep = history.items >= 0
        history = _Columns(*(column[keep] for column in history))
    item = history.items
    if not query.filters.repeats:
        had = distinct(np.concatenate([item, items.rows(list(query.had))]) if query.had else item)
        _remove(allowed, removed, "had", had[had >= 0])
    if query.filters.exclude:
        _remove(allowed, removed, "exclude", known(items, query.filters.exclude))
    weight = history.weights
    weight = np.where(np.isfinite(weight) & (weight > 0), np.minimum(weight, _HEAVIEST), 0.0)
    rows = RowQuery(
        items=item,
        weights=weight.astype(np.float32),
        polarity=history.polarity,
        times=history.times,
        platforms=history.platforms,
        platform=platform,
        as_of=as_of,
        interest=query.interest or None,
        allowed=allowed,
    )
    return Asked(rows, removed, query.history.events, keep)


class _Columns(NamedTuple):
    """Of a history: rows of items and platforms (-1, ANY: unknown)."""

    items: np.ndarray
    weights: np.ndarray
    polarity: np.ndarray
    times: np.ndarray
    platforms: np.ndarray


def _columns(events: Sequence[Event], items: IdMap, platforms: Mapping[str, int]) -> _Columns:
    if isinstance(events, Recorded):
        kept = events.columns
        rows = np.array([platforms.get(name, ANY) for name in kept.platform_names], np.int8)
        return _Columns(
            items.rows_of(kept.items),
            kept.weights,
            kept.polarity.astype(np.int8),
            kept.times.astype(np.int64),
            rows[kept.platforms] if len(rows) else np.zeros(0, np.int8),
        )
    return _Columns(
        items.rows([event.item for event in events]),
        np.array([event.weight for event in events], np.float64),
        np.array([event.polarity for event in events], np.int8),
        np.array([event.time for event in events], np.int64),
        np.array([platforms.get(event.platform, ANY) for event in events], np.int8),
    )


def _remove(allowed: np.ndarray, removed: dict[str, int], rule: str, rows: np.ndarray) -> None:
    if taken := int(np.count_nonzero(allowed[rows])):
        removed[rule] = taken
        allowed[rows] = False
