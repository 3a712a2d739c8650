"""What prefix caching is worth: pointwise questions to the embedded model about one list.

Without the cache every question costs the same, so it is asked about every tenth candidate, one after the
other (together they would crowd each other out of the memory for keys and values), and its time multiplied.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from evals.bench.figure import Figure
from prompts import load
from recall.errors import MissingExtra, NotFound
from recall.types import LIKE, Event, History, Item
from rerank.config import RankConfig
from rerank.llm.embedded import EmbeddedModel
from rerank.llm.weights import find_weights
from rerank.methods import METHODS, RankTask
from rerank.summary import summarise
from rerank.types import Deadline

WEIGHTS = "smollm2-135m-instruct"
TENTH = 10
CLOSE = 0.01
"""Log-odds that differ by less are equal: caching splits the prompt elsewhere."""


def prefix_figures(*, candidates: int, progress: Callable[[str], None]) -> list[Figure]:
    """Seconds for one list after loading; nothing without the embedded engine and its weights.

    `agree` is the share of candidates about which both answered the same.
    """
    try:
        weights = find_weights(WEIGHTS)
        models = {cached: EmbeddedModel(weights, prefix_caching=cached) for cached in (True, False)}
    except (MissingExtra, NotFound) as error:
        progress(f"prefix caching: left out, {error}")
        return []
    every = range(candidates)
    progress(f"{candidates} pointwise questions to {WEIGHTS}, prefix cache on")
    own, odds = asyncio.run(_ask(models[True], [every]))
    some = every[::TENTH] if candidates > TENTH else every
    progress(f"{len(some)} pointwise questions to {WEIGHTS}, prefix cache off")
    theirs, others = asyncio.run(_ask(models[False], [[one] for one in some]))
    theirs *= candidates / len(some)
    same = sum(abs(odds[one] - others[one]) < CLOSE for one in some) / len(some)
    name = f"pointwise, {candidates} candidates, {WEIGHTS}"
    return [
        Figure(name, round(own, 2), "seconds, prefix cache on"),
        Figure(name, round(theirs, 2), "seconds", "the same, prefix cache off", own / theirs, same),
    ]


async def _ask(model: EmbeddedModel, groups: Sequence[Sequence[int]]) -> tuple[float, dict[int, float]]:
    """Seconds for all groups of candidates, one group after the other, and each candidate's log-odds."""
    items = {f"h{k}": Item(f"h{k}", f"An earlier title, number {k}", 1960 + k) for k in range(40)}
    events = (Event(f"e{k}", "cinema", f"h{k}", "rating", 86_400 * k, 4.0, 1.0, LIKE) for k in range(40))
    history, settings = History("p", tuple(events)), RankConfig(calibrate=False)
    found: dict[int, float] = {}
    try:
        await model.capabilities(Deadline.after(600))
        summary = await summarise(
            history, items, platform="cinema", now=10**8, budget_tokens=800, count=model.count
        )
        began = time.perf_counter()
        for group in groups:
            candidates = tuple(Item(f"c{k}", f"A title of usual length, {k}", 1950 + k % 70) for k in group)
            task = RankTask(summary, candidates, load("pointwise"), "cinema", settings=settings)
            ranking = await METHODS["pointwise"].rank(task, model, Deadline.after(3600))
            assert ranking.scores is not None
            found |= {group[at]: score for at, score in zip(ranking.order, ranking.scores, strict=True)}
        return time.perf_counter() - began, found
    finally:
        await model.aclose()
