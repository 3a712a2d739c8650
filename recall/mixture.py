"""The blend before the model: a weighted sum of the sources' normalised scores, by segment of the query.

A source's scores are divided by its best one in this query, so that every source runs
from 0 to 1 and one that knows nothing adds nothing. Weights are read from a small file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recall.errors import ConfigError
from recall.recallers import Recaller
from recall.recallers.query import ANY, RowQuery, best
from recall.recallers.tuning import Tuning

FILE = "recall.json"
"""Name of the weight file under Workspace.weights."""

LEAST = 1e-4
"""Weight of a source that the file gives none: it only orders what the others leave tied."""


class Weights(BaseModel):
    """recall.json: settings of the recallers, and each segment's weight per source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tuning: Tuning = Tuning()
    segments: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Segment (see `segment`) → source → weight ≥ 0; a segment that is missing has `default`."""
    default: dict[str, float] = Field(
        default_factory=lambda: {"als": 1.0, "item-to-item": 0.5, "transitions": 0.7, "popular": 0.3}
    )

    @classmethod
    def load(cls, folder: Path) -> Weights:
        """The fitted ones, or the defaults where nothing was fitted. ConfigError for a damaged file."""
        path = folder / FILE
        if not path.exists():
            return cls()
        try:
            return cls.model_validate(json.loads(path.read_text()))
        except (OSError, ValueError, ValidationError) as error:
            raise ConfigError(f"{path} can't be used ({error}); remove it to use the defaults") from error

    def of(self, query: RowQuery) -> Mapping[str, float]:
        return self.segments.get(segment(query), self.default)


def segment(query: RowQuery) -> str:
    """History length in liked items (0, 1-4, 5-19, 20+) and whether the person is new to the platform."""
    count = len(query.liked()[1])
    length = "0" if count == 0 else "1-4" if count < 5 else "5-19" if count < 20 else "20+"
    new = query.platform != ANY and not (query.platforms == query.platform).any()
    return f"{length} new" if new else length


class Mixture:
    """Sources in a fixed order, each with its scores; fills up from popularity."""

    def __init__(self, sources: Mapping[str, Recaller], weights: Weights) -> None:
        self.sources = sources
        self.weights = weights

    def scores(self, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """At most n distinct rows, best first; their blended scores; each source's own (unnormalised) scores.

        Fewer than n come only where the query allows no more.
        """
        rows, tops = self.union(query, n)
        own = {name: source.at(query, rows) for name, source in self.sources.items()}
        total = sum(self._weighted(query, own, tops).values(), np.zeros(len(rows), np.float32))
        chosen, score = best(rows, total, n)
        where = np.searchsorted(rows, chosen)
        return chosen, score, {name: scores[where] for name, scores in own.items()}

    def parts(self, query: RowQuery, items: np.ndarray) -> dict[str, np.ndarray]:
        """Each source's part of the blended score of these rows, float32; together they are the score."""
        own = {name: source.at(query, items) for name, source in self.sources.items()}
        return self._weighted(
            query, own, {name: _top(s.scores(query, 1)[1]) for name, s in self.sources.items()}
        )

    def _weighted(
        self, query: RowQuery, own: Mapping[str, np.ndarray], tops: Mapping[str, float]
    ) -> dict[str, np.ndarray]:
        weights = self.weights.of(query)
        scale = {
            name: max(weights.get(name, 0.0), LEAST) / tops[name] if tops[name] > 0 else 0.0 for name in own
        }
        return {name: np.maximum(scores, 0) * np.float32(scale[name]) for name, scores in own.items()}

    def union(self, query: RowQuery, n: int) -> tuple[np.ndarray, dict[str, float]]:
        """Sorted distinct rows of each source's n best, and each source's best score (0: none)."""
        found, tops = [np.empty(0, np.int32)], {}
        for name, source in self.sources.items():
            rows, scores = source.scores(query, n)
            found.append(rows)
            tops[name] = _top(scores)
        return np.unique(np.concatenate(found)), tops


def _top(scores: np.ndarray) -> float:
    return float(scores[0]) if len(scores) and np.isfinite(scores[0]) else 0.0
