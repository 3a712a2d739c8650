"""Candidates for a history: ids become rows, rules and masks apply, the blended sources answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import copy
from pathlib import Path

import numpy as np

from recall.artefact import Artefact
from recall.attributes import GROUP
from recall.explain import explain
from recall.mixture import Mixture
from recall.recall_config import RecallConfig
from recall.recallers import RECALLERS
from recall.recallers.item_to_item import ItemToItem
from recall.recallers.query import ANY, RowQuery
from recall.rules import Rules, at_most
from recall.types import Because, Candidate, CandidateList, Event, History, Query
from recall.weights import Weights

_WIDER = 4
"""How much longer the list is made before limits per category or creator thin it."""

_HEAVIEST = 100.0
"""An event counts at most so much: beyond it float32 can't solve the fold-in system (tried: 1e30 can't)."""


class Candidates:
    """recall.protocols.Recall over one artefact. Immutable; safe to call from several threads."""

    def __init__(
        self, artefact: Artefact, config: RecallConfig | None = None, weights: Weights | None = None
    ) -> None:
        self.artefact = artefact.name
        self._items = artefact.items
        self._platforms = {name: row for row, name in enumerate(artefact.platforms)}
        self._config = config or RecallConfig()
        weights = weights or Weights()
        sources = {
            name: recaller(artefact.arrays[name], weights.tuning)
            for name, recaller in RECALLERS.items()
            if name in artefact.arrays
        }
        self.mixture = Mixture(sources, weights)
        self._rules = Rules(artefact.arrays.get(GROUP, {}), artefact.listed)
        self._blocked = self._known(self._config.block)

    @classmethod
    def open(cls, artefact: Artefact, config: RecallConfig, weights_folder: Path) -> Candidates:
        """With the fitted weights of Workspace.weights, or the defaults where nothing was fitted."""
        return cls(artefact, config, Weights.load(weights_folder))

    def with_rules(self, config: RecallConfig) -> Candidates:
        """The same artefact and blend under other rules."""
        other = copy(self)
        other._config = config
        other._blocked = other._known(config.block)
        return other

    def candidates(self, query: Query) -> CandidateList:
        """At most `query.n`; fewer only where no more are allowed. An unknown platform lists nothing."""
        if query.n <= 0 or (query.platform is not None and query.platform not in self._platforms):
            return CandidateList((), {}, self.artefact)
        rows, removed, _ = self._rows(query)
        limits = [
            (rule, tags, limit)
            for rule, tags, limit in (
                ("max_per_category", self._rules.categories, self._config.max_per_category),
                ("max_per_creator", self._rules.creators, self._config.max_per_creator),
            )
            if tags is not None and limit > 0
        ]
        chosen, scores, own = self.mixture.scores(rows, query.n * _WIDER if limits else query.n)
        for rule, tags, limit in limits:
            keep = at_most(tags, chosen, limit)
            if not keep.all():
                removed[rule] = int((~keep).sum())
            chosen, scores = chosen[keep], scores[keep]
            own = {name: mine[keep] for name, mine in own.items()}
        chosen = chosen[: query.n]
        names = self._items.names(chosen)
        found = tuple(
            Candidate(
                item,
                rank,
                float(scores[rank]),
                {name: float(mine[rank]) for name, mine in own.items() if mine[rank] > 0},
            )
            for rank, item in enumerate(names)
        )
        return CandidateList(found, removed, self.artefact)

    def explain(self, query: Query, items: Sequence[str]) -> list[Because]:
        """Items that the artefact does not know are told as popular, with no count."""
        rows, _, events = self._rows(query)
        wanted = self._items.rows(items)
        known = np.flatnonzero(wanted >= 0)
        told = explain(self.mixture, rows, wanted[known], events)
        found = [Because("popular")] * len(items)
        for place, because in zip(known, told, strict=True):
            found[place] = because
        return found

    def similar(self, item: str, *, platform: str | None = None, n: int = 20) -> list[tuple[str, float]]:
        """By item-to-item alone: items that people had beside this one, best first, with their cosines."""
        source = self.mixture.sources.get(ItemToItem.name)
        if source is None or (platform is not None and platform not in self._platforms):
            return []
        history = History(None, (Event("", "", item, "seen", 0),))
        query, _, _ = self._rows(Query(history, platform))
        rows, scores = source.scores(query, n)
        return list(zip(self._items.names(rows), scores.tolist(), strict=True))

    def _known(self, ids: frozenset[str]) -> np.ndarray:
        """Sorted distinct rows of the ids that the artefact knows."""
        rows = np.unique(self._items.rows(sorted(ids)))
        return rows[rows >= 0].astype(np.int32)

    def _rows(self, query: Query) -> tuple[RowQuery, dict[str, int], list[str]]:
        """The query in rows, what the rules removed, and the ids of the history's events that stay."""
        as_of = int(time.time()) if query.as_of is None else query.as_of
        platform = ANY if query.platform is None else self._platforms.get(query.platform, ANY)
        allowed, removed = self._rules.allowed(
            query.filters, platform=platform, as_of=as_of, blocked=self._blocked
        )
        had = np.zeros(0, np.int32)
        if not query.filters.repeats:
            had = self._known(query.history.items | query.had)
        listed_out = self._known(query.filters.exclude)
        for rule, rows in (("had", had), ("exclude", np.setdiff1d(listed_out, had))):
            if taken := int(np.count_nonzero(allowed[rows])):
                removed[rule] = taken
        events = query.history.events
        item = self._items.rows([event.item for event in events])
        weight = np.array([event.weight * event.confidence for event in events], np.float64)
        keep = np.flatnonzero(item >= 0)
        weight = np.where(np.isfinite(weight) & (weight > 0), np.minimum(weight, _HEAVIEST), 0.0)
        kept = [events[i] for i in keep]
        rows_query = RowQuery(
            items=item[keep],
            weights=weight[keep].astype(np.float32),
            polarity=np.array([event.polarity for event in kept], np.int8),
            times=np.array([event.time for event in kept], np.int64),
            platforms=np.array([self._platforms.get(event.platform, ANY) for event in kept], np.int8),
            platform=platform,
            as_of=as_of,
            exclude=np.union1d(had, listed_out).astype(np.int32),
            allowed=allowed,
        )
        return rows_query, removed, [event.id for event in kept]
