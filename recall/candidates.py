"""Candidates for a history: ids become rows, rules and masks apply, the blended sources answer."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path

import numpy as np

from recall.artefact import Artefact
from recall.asked import Asked, asked, known
from recall.attributes import GROUP, Tags
from recall.explain import explain
from recall.listed import Listed
from recall.mixture import POOL, Mixture
from recall.recall_config import RecallConfig
from recall.recallers import open_recallers
from recall.recallers.als import Als
from recall.recallers.content import Content
from recall.recallers.item_to_item import ItemToItem
from recall.recallers.query import RowQuery
from recall.recallers.recent import Recent
from recall.recallers.text_factors import TextFactors
from recall.rules import Rules, at_most
from recall.shape import FRESH, diversified, draw_of, explored
from recall.types import Because, CandidateList, Event, History, Query
from recall.weights import Weights

_WIDER = 4
"""How much longer the list is made before limits per category or creator thin it."""

_DAY = 86_400


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
        self.mixture = Mixture(open_recallers(artefact.arrays, weights.tuning), weights)
        content = self.mixture.sources.get(Content.name)
        self.embedder = content.embedder if isinstance(content, Content) else ""
        self._rules = Rules(artefact.arrays.get(GROUP, {}), artefact.listed)
        self._blocked = known(self._items, self._config.block)

    @classmethod
    def open(cls, artefact: Artefact, config: RecallConfig, weights_folder: Path) -> Candidates:
        """With the fitted weights of Workspace.weights, or the defaults where nothing was fitted."""
        return cls(artefact, config, Weights.load(weights_folder))

    def with_rules(self, config: RecallConfig) -> Candidates:
        """The same artefact and blend under other rules."""
        other = copy(self)
        other._config = config
        other._blocked = known(self._items, config.block)
        return other

    def candidates(self, query: Query) -> CandidateList:
        """At most `query.n`; fewer only where no more are allowed. An unknown platform lists nothing."""
        if query.n <= 0 or (query.platform is not None and query.platform not in self._platforms):
            return CandidateList((), {}, self.artefact)
        question = self._asked(query)
        limits, config = self._limits(), self._config
        wanted = query.n * _WIDER if limits else query.n
        chosen, scores, own = self.mixture.scores(
            question.rows, max(wanted, POOL) if config.diversity else wanted
        )
        for rule, tags, limit in limits:
            keep = at_most(tags, chosen, limit)
            if not keep.all():
                question.removed[rule] = int((~keep).sum())
            chosen, scores, own = _at(chosen, scores, own, keep)
        als = self.mixture.sources.get(Als.name)
        if config.diversity and isinstance(als, Als):
            order = diversified(scores, als.factors(chosen), config.diversity)
            chosen, scores, own = _at(chosen, scores, own, order)
        if config.explore and Recent.name in self.mixture.sources:
            chosen, scores, own = self._explore(query, question.rows, chosen)
        chosen, scores, own = _at(chosen, scores, own, slice(query.n))
        return CandidateList(Listed(self._items.ids[chosen], scores, own), question.removed, self.artefact)

    def explain(self, query: Query, items: Sequence[str]) -> list[Because]:
        """Items that the artefact does not know are told as popular, with no count."""
        question = self._asked(query)
        wanted = self._items.rows(items)
        here = np.flatnonzero(wanted >= 0)
        told = explain(self.mixture, question.rows, wanted[here], question.events)
        found = [Because("popular")] * len(items)
        for place, because in zip(here, told, strict=True):
            found[place] = because
        return found

    def similar(self, item: str, *, platform: str | None = None, n: int = 20) -> list[tuple[str, float]]:
        """Items that people had beside this one, best first, with their cosines; where nobody had it, those
        with the closest text."""
        if platform is not None and platform not in self._platforms:
            return []
        history = History(None, (Event("", "", item, "seen", 0),))
        asked = self._asked(Query(history, platform)).rows
        for name in (ItemToItem.name, Content.name):
            source = self.mixture.sources.get(name)
            if source is not None and len((found := source.scores(asked, n))[0]):
                return list(zip(self._items.names(found[0]), found[1].tolist(), strict=True))
        return []

    def _asked(self, query: Query) -> Asked:
        given = {"items": self._items, "platforms": self._platforms, "rules": self._rules}
        return asked(query, blocked=self._blocked, **given)  # type: ignore[arg-type]

    def _limits(self) -> list[tuple[str, Tags, int]]:
        limits = (
            ("max_per_category", self._rules.categories, self._config.max_per_category),
            ("max_per_creator", self._rules.creators, self._config.max_per_creator),
        )
        return [(rule, tags, limit) for rule, tags, limit in limits if tags is not None and limit > 0]

    def _explore(
        self, query: Query, rows: RowQuery, chosen: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """New listings at some places, the same ones for a person all day: of the newest the quarter whose
        texts suit the person best, where the texts say anything."""
        fresh = self.mixture.sources[Recent.name].scores(rows, FRESH)[0]
        fresh = fresh[~np.isin(fresh, chosen[: query.n])]
        for name in (TextFactors.name, Content.name):
            source = self.mixture.sources.get(name)
            if source is not None and (suit := source.at(rows, fresh)).any():
                most = max(len(fresh) // 4, round(query.n * self._config.explore) + 1)
                fresh = fresh[np.argsort(-suit, kind="stable")[:most]]
                break
        seed = draw_of(query.history.person, query.platform, rows.as_of // _DAY, self.artefact)
        found = explored(chosen, fresh, query.n, rate=self._config.explore, seed=seed)
        return found, *self.mixture.of(rows, found)


def _at(
    rows: np.ndarray, scores: np.ndarray, own: dict[str, np.ndarray], at: np.ndarray | slice
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    return rows[at], scores[at], {name: mine[at] for name, mine in own.items()}
