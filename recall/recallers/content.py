"""Content: items whose text is close to what the person liked, whichever platform has them.

An item's vector is that of its text and facts (recall/content/space.py). The person's is the sum of those of
the liked items, each with the event's weight and the newest counting most, less a share of the disliked ones;
the score is the cosine. Without a usable history the words of a stated interest stand in for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from recall.attributes import Tags
from recall.content.space import Space, fit_made, fit_space
from recall.content.tags import in_common, tag_arrays
from recall.content.texts import asked_for
from recall.recallers.contributions import Contributions
from recall.recallers.lookups import dots, weighted_sum
from recall.recallers.query import RowQuery, empty_scores
from recall.recallers.tuning import Tuning
from recall.topk import FactorIndex, top_k
from recall.types import DISLIKE

if TYPE_CHECKING:
    from recall.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Profile:
    """A history as a direction among texts."""

    positions: np.ndarray
    """int64[e]: the events that count"""
    shares: np.ndarray
    """float32[e]: what each one's item adds, signed; they make up `user`"""
    user: np.ndarray | None
    """float32[d] of length 1; None where nothing is known"""


class Content:
    """Proposes only items with text."""

    name: ClassVar[str] = "content"

    def __init__(self, arrays: Mapping[str, np.ndarray], tuning: Tuning) -> None:
        self._index = FactorIndex.of(arrays)
        self._place = arrays["place"]
        self._space = Space.of(arrays)
        self._facts = Tags.open(arrays, "fact")
        self._decay, self._dislike = tuning.content_decay, tuning.content_dislike

    @classmethod
    def fit(cls, dataset: Dataset, *, seed: int = 0) -> dict[str, np.ndarray]:
        """The space's arrays, the items' vectors by FactorIndex and their places (int32, -1: no text), and
        the facts that items share (recall/content/tags.py)."""
        texts = dataset.texts
        if texts is None:
            space, vectors = fit_space([{}] * len(dataset.items))
        elif (made := texts.made()) is not None:
            space, vectors = fit_made(made[1], made[0], seed=seed)
        else:
            space, vectors = fit_space(texts.bags(), seed=seed)
        if texts is not None and texts.owner is not None:
            vectors = vectors[texts.owner]
        return cls.packed(vectors) | space.arrays() | tag_arrays(texts, len(dataset.items))

    @staticmethod
    def packed(vectors: np.ndarray) -> dict[str, np.ndarray]:
        """What the recaller reads of float32[items × d]."""
        index = FactorIndex.build(vectors)
        place = np.full(len(vectors), -1, np.int32)
        place[index.rows] = np.arange(len(index.rows), dtype=np.int32)
        return {"place": place, **index.arrays()}

    @property
    def size(self) -> int:
        """d: numbers of a vector."""
        return int(self._index.factors.shape[1])

    def vectors(self, items: np.ndarray) -> np.ndarray:
        """float32[len(items) × d]; zeros for an item without text."""
        if not len(self._index.rows):
            return np.zeros((len(items), self.size), np.float32)
        place = self._place[items]
        found: np.ndarray = self._index.factors[np.maximum(place, 0)]
        found[place < 0] = 0
        return found

    @property
    def embedder(self) -> str:
        """What makes vectors of an interest; '' where its words will do."""
        return self._space.embedder

    def words(self, text: str) -> np.ndarray | None:
        """float32[d] of a text; None where the space knows none of its words, or is an embedder's."""
        if self._space.embedder:
            return None
        found = self._space.project([asked_for(text)])[0]
        return found if found.any() else None

    def facts_in_common(self, query: RowQuery, items: np.ndarray) -> np.ndarray:
        """float32: how many extracted facts each of these rows shares with what the person liked."""
        return in_common(self._facts, query.liked()[1], items)

    def _profile(self, query: RowQuery) -> Profile:
        place = self._place[query.items]
        counts = (query.weights > 0) & (query.polarity != DISLIKE)
        told = place >= 0
        liked = np.flatnonzero(counts & told)
        if not len(liked):
            return Profile(liked, np.zeros(0, np.float32), self._interest(query))
        decay = np.float32(self._decay)
        shares = query.weights[liked] * decay ** np.arange(len(liked), dtype=np.float32)
        if self._dislike > 0 and (barred := np.flatnonzero((query.polarity == DISLIKE) & told)).size:
            against = -np.float32(self._dislike) * decay ** np.arange(len(barred), dtype=np.float32)
            liked, shares = np.concatenate([liked, barred]), np.concatenate([shares, against])
        user = weighted_sum(self._index.factors, place[liked], shares)
        norm = np.float32(np.sqrt(user @ user))
        if norm < 1e-6:
            return Profile(liked[:0], np.zeros(0, np.float32), None)
        return Profile(liked, shares / norm, user / norm)

    def _interest(self, query: RowQuery) -> np.ndarray | None:
        if query.interest is None:
            return None
        if isinstance(query.interest, str):
            return self.words(query.interest)
        vector = np.asarray(query.interest, np.float32)
        if vector.shape != (len(self._space.components),):
            return None
        found = self._space.place_made(vector[None])[0]
        return found if found.any() else None

    def scores(self, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray]:
        user = query.once(self, self._profile).user
        if user is None:
            return empty_scores()
        return top_k(self._index, user, n, query.exclude, query.allowed)

    def at(self, query: RowQuery, items: np.ndarray) -> np.ndarray:
        user = query.once(self, self._profile).user
        if user is None:
            return np.zeros(len(items), np.float32)
        return np.asarray(dots(self._index.factors, self._place[items], user))

    def explain(self, query: RowQuery, items: np.ndarray) -> Contributions:
        """Each event's cosine with the item times its share; no event carries what an interest brings."""
        profile = query.once(self, self._profile)
        if not len(profile.positions):
            return Contributions()
        events = np.zeros((len(items), len(query.items)), np.float32)
        mine = self.vectors(query.items[profile.positions]) * profile.shares[:, None]
        events[:, profile.positions] = self.vectors(items) @ mine.T
        return Contributions(events=events)
