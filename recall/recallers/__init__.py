"""The sources of candidates: one class each, one line in the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from recall.recallers.als import Als
from recall.recallers.content import Content
from recall.recallers.contributions import Contributions
from recall.recallers.item_to_item import ItemToItem
from recall.recallers.popular import Evergreen, Popular
from recall.recallers.query import RowQuery
from recall.recallers.recent import Recent
from recall.recallers.text_factors import TextFactors
from recall.recallers.transitions import Transitions
from recall.recallers.tuning import Tuning

if TYPE_CHECKING:
    from recall.dataset import Dataset


class Recaller(Protocol):
    """A source of candidates. Immutable after construction; safe to call from several threads."""

    name: ClassVar[str]

    def scores(self, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray]:
        """At most n rows (int32, distinct) with scores (float32), best first; only what the query allows."""

    def at(self, query: RowQuery, items: np.ndarray) -> np.ndarray:
        """float32 scores of the given rows, equal to those of `scores`; 0 where the source says nothing."""

    def explain(self, query: RowQuery, items: np.ndarray) -> Contributions:
        """What carries the scores of the given rows."""


RECALLERS: dict[str, type[Recaller]] = {
    recaller.name: recaller
    for recaller in (Als, ItemToItem, Transitions, Content, TextFactors, Popular, Evergreen, Recent)
}
"""In the order in which a tie between sources is told. A new source is a new file and a place here."""


def open_recaller(name: str, arrays: Mapping[str, Mapping[str, np.ndarray]], tuning: Tuning) -> Recaller:
    """The source of this name over the arrays of all of them."""
    if name == TextFactors.name:
        return TextFactors(arrays[name], Als(arrays[Als.name], tuning))
    return RECALLERS[name](arrays[name], tuning)  # type: ignore[call-arg]


def open_recallers(arrays: Mapping[str, Mapping[str, np.ndarray]], tuning: Tuning) -> dict[str, Recaller]:
    """Every source that there are arrays of, in the order of RECALLERS; those of one fold-in share it."""
    found: dict[str, Recaller] = {}
    for name in RECALLERS:
        if name not in arrays:
            continue
        als = found.get(Als.name)
        if name == TextFactors.name and isinstance(als, Als):
            found[name] = TextFactors(arrays[name], als)
        else:
            found[name] = open_recaller(name, arrays, tuning)
    return found


def fit_recallers(
    dataset: Dataset,
    als: Mapping[str, np.ndarray],
    *,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Mapping[str, np.ndarray]]:
    """The arrays of every source, ALS's as given. `progress` gets a step, what is done and all there is."""
    arrays: dict[str, Mapping[str, np.ndarray]] = {Als.name: als}
    for done, (name, recaller) in enumerate(RECALLERS.items()):
        if progress:
            progress(f"fitting {name}", done, len(RECALLERS))
        if name == TextFactors.name:
            people = np.bincount(dataset.matrix.indices, minlength=len(dataset.items))
            arrays[name] = TextFactors.fit(arrays[Content.name], als, people)
        elif name != Als.name:
            arrays[name] = recaller.fit(dataset, seed=seed)  # type: ignore[attr-defined]
    return arrays
