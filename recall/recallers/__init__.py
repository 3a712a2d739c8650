"""The sources of candidates: one class each, one line in the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from recall.recallers.als import Als
from recall.recallers.contributions import Contributions
from recall.recallers.item_to_item import ItemToItem
from recall.recallers.popular import Evergreen, Popular
from recall.recallers.query import RowQuery
from recall.recallers.recent import Recent
from recall.recallers.transitions import Transitions
from recall.recallers.tuning import Tuning

if TYPE_CHECKING:
    from recall.dataset import Dataset


class Recaller(Protocol):
    """A source of candidates. Immutable after construction; safe to call from several threads."""

    name: ClassVar[str]

    def __init__(self, arrays: Mapping[str, np.ndarray], tuning: Tuning) -> None: ...

    def scores(self, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray]:
        """At most n rows (int32, distinct) with scores (float32), best first; only what the query allows."""

    def at(self, query: RowQuery, items: np.ndarray) -> np.ndarray:
        """float32 scores of the given rows, equal to those of `scores`; 0 where the source says nothing."""

    def explain(self, query: RowQuery, items: np.ndarray) -> Contributions:
        """What carries the scores of the given rows."""


class Fitted(Recaller, Protocol):
    """A recaller that fits its own arrays; ALS's come from `recall.train`."""

    @classmethod
    def fit(cls, dataset: Dataset, *, seed: int = 0) -> dict[str, np.ndarray]:
        """Plain arrays, which the artefact keeps under the recaller's name."""


RECALLERS: dict[str, type[Recaller]] = {
    recaller.name: recaller for recaller in (Als, ItemToItem, Transitions, Popular, Evergreen, Recent)
}
"""In the order in which a tie between sources is told. A new source is a new file and a place here."""
