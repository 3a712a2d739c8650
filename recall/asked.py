"""A query in ids becomes one in rows, with the rules applied."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from recall.idmap import IdMap
from recall.recallers.query import ANY, RowQuery, distinct
from recall.rules import Rules
from recall.types import Query

_HEAVIEST = 100.0
"""An event counts at most so much: beyond it float32 can't solve the fold-in system (tried: 1e30 can't)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The query in rows, how many items each rule removed, and the ids of the history's events that stay."""

    rows: RowQuery
    removed: dict[str, int]
    events: list[str]


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
    events = query.history.events
    item = items.rows([event.item for event in events])
    if len(events) and item.min() < 0:
        events = tuple(event for event, row in zip(events, item.tolist(), strict=True) if row >= 0)
        item = item[item >= 0]
    if not query.filters.repeats:
        more = query.had.difference([event.item for event in events])
        had = distinct(np.concatenate([item, items.rows(list(more))])) if more else distinct(item)
        _remove(allowed, removed, "had", had[had >= 0])
    if query.filters.exclude:
        _remove(allowed, removed, "exclude", known(items, query.filters.exclude))
    weight = np.array([event.weight for event in events], np.float64)
    weight = np.where(np.isfinite(weight) & (weight > 0), np.minimum(weight, _HEAVIEST), 0.0)
    rows = RowQuery(
        items=item,
        weights=weight.astype(np.float32),
        polarity=np.array([event.polarity for event in events], np.int8),
        times=np.array([event.time for event in events], np.int64),
        platforms=np.array([platforms.get(event.platform, ANY) for event in events], np.int8),
        platform=platform,
        as_of=as_of,
        allowed=allowed,
    )
    return Asked(rows, removed, [event.id for event in events])


def _remove(allowed: np.ndarray, removed: dict[str, int], rule: str, rows: np.ndarray) -> None:
    if taken := int(np.count_nonzero(allowed[rows])):
        removed[rule] = taken
        allowed[rows] = False
