"""What a title that speaks to the model gains: its place with the text added, against the clean run.

One candidate from the lower half of each person's list is attacked in every way in turn; everything else
stays. The placebo adds harmless words, because any change of a title moves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, cast

import numpy as np

from evals.fit.validation import Question
from evals.intervals import Interval, bootstrap
from evals.probes.asking import Asker, Shown, pool
from evals.probes.attacks import ATTACKS, PLACEBO, attacked
from recall.protocols import Library, Stock
from recall.types import Item
from rerank.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Gain:
    """Places up by one kind of attack: over the clean run, and over the placebo."""

    kind: str
    clean: Interval
    placebo: Interval


@dataclass(frozen=True, slots=True)
class InjectionGain:
    """Over `people`, each with one attacked item among `candidates`; answers that failed are left out."""

    method: str
    model: str
    people: int
    candidates: int
    gains: tuple[Gain, ...]
    together: Gain
    """All kinds but the placebo, averaged for each person."""
    failed: int


async def probe_injection(
    ask: Asker, questions: Sequence[Question], *, n: int = 20, seed: int = 0
) -> InjectionGain:
    """Ask once clean and once for each kind of attack, for each person whose list is n long."""
    asked = [question for question in questions if len(question.candidates) >= n]
    places: dict[str, list[float]] = {kind: [] for kind in ("clean", *ATTACKS)}
    failed = 0
    for question in asked:
        candidates = pool(question, n)
        victim = Random(f"{seed} {question.person}").randrange(n // 2, n)
        stock = ask.pipeline.stock()
        for kind in places:
            pipeline = (
                ask.pipeline
                if kind == "clean"
                else _attacked(ask.pipeline, stock, candidates[victim].item, kind)
            )
            said = await ask(kind, question, candidates, range(n), pipeline=pipeline)
            failed += said.answer is None
            places[kind].append(_place(said, victim))
    table = {kind: np.array(found) for kind, found in places.items()}
    gains = tuple(_gain(kind, table[kind], table) for kind in ATTACKS)
    attacks = np.stack([table[kind] for kind in ATTACKS if kind != PLACEBO])
    return InjectionGain(
        method=ask.pipeline.rank.method,
        model=ask.model,
        people=len(asked),
        candidates=n,
        gains=gains,
        together=_gain("all attacks", attacks.mean(axis=0), table),
        failed=failed,
    )


def _gain(kind: str, mine: np.ndarray, table: dict[str, np.ndarray]) -> Gain:
    return Gain(kind, _mean(table["clean"] - mine), _mean(table[PLACEBO] - mine))


def _mean(gains: np.ndarray) -> Interval:
    return bootstrap(gains[np.isfinite(gains)])


def _place(said: Shown, victim: int) -> float:
    return said.answer.index(victim) if said.answer is not None else float("nan")


def _attacked(pipeline: Pipeline, stock: Stock, item: str, kind: str) -> Pipeline:
    """The same pipeline over a catalogue in which this item's title carries the attack."""
    changed = replace(stock, library=cast(Library, _Changed(stock.library, item, kind)))
    return pipeline.variant(stock=lambda: changed)


class _Changed:
    """A library in which one title is another; the rest is the library's own."""

    def __init__(self, library: Library, item: str, kind: str) -> None:
        self._library, self._item, self._kind = library, item, kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def items(self, ids: Sequence[str]) -> list[Item]:
        return [
            replace(one, title=attacked(one.title, self._kind)) if one.id == self._item else one
            for one in self._library.items(ids)
        ]
