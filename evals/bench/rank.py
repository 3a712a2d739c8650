"""`whyrec bench rank`: our own time around the model, and what each method asks of it.

The model is a fake that answers at once, so what is timed is building, parsing and blending. Tokens are
estimated at three characters each. RankLLM's sliding windows of 20 by 10 are counted for the same lists.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

from evals.bench.figure import Figure
from prompts import load
from recall.types import LIKE, Event, History, Item
from recall.workspace import Workspace
from rerank.blend import blend
from rerank.config import RankConfig
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.methods import METHODS, RankTask
from rerank.summary import summarise
from rerank.types import Deadline, Ranking
from rerank.windows import sliding

SIZES, HISTORY = (20, 100, 300), 100
PEER = "RankLLM, windows of 20 by 10"
GENRES = ("Action", "Comedy", "Crime", "Drama", "Horror", "Romance", "Sci-Fi", "Thriller")
_LABEL = re.compile(r"^([A-Z]{1,2}): ", re.MULTILINE)


def run(
    *, quick: bool, cache: Path, workspace: Workspace | None, progress: Callable[[str], None]
) -> list[Figure]:
    """Every method at 20, 100 and 300 candidates. Needs no model, build or cache."""
    figures = []
    for method in ("listwise", "logits", "pointwise"):
        for n in SIZES:
            progress(f"{method}, {n} candidates")
            figures += asyncio.run(_measure(method, n, 3 if quick else 30))
    return figures


async def _measure(method: str, n: int, repeats: int) -> list[Figure]:
    times, model, ranking = [], ScriptedModel(), Ranking((), ())
    for _ in range(repeats):
        model = ScriptedModel(_reversed, _scores)
        began = time.perf_counter()
        ranking = await _request(method, n, model)
        times.append(1000 * (time.perf_counter() - began))
    times.sort()
    tokens = sum(call.usage.prompt for call in ranking.calls)
    questions = len(model.asked)
    name = f"{method}, {n} candidates"
    theirs = len(sliding(n, 20, 10))
    waves = (
        -(-len(ranking.calls) // RankConfig().concurrency) if method == "pointwise" else len(ranking.calls)
    )
    middle, tail = times[len(times) // 2], times[int(0.95 * (len(times) - 1))]
    return [
        Figure(name, round(middle, 2), "ms beside the model, median"),
        Figure(name, round(tail, 2), "ms beside the model, p95"),
        Figure(name, questions, "questions"),
        Figure(name, theirs, "questions", PEER, questions / theirs),
        Figure(name, waves, "rounds one after another"),
        Figure(name, theirs, "rounds one after another", PEER, waves / theirs),
        Figure(name, tokens, "prompt tokens"),
    ]


async def _request(method: str, n: int, model: ScriptedModel) -> Ranking:
    """Summary, prompts, replies and blend of one request."""
    items = {f"h{k}": _item(f"h{k}") for k in range(HISTORY)}
    events = (Event(f"e{k}", "cinema", f"h{k}", "rating", 86_400 * k, 4.0, 1.0, LIKE) for k in range(HISTORY))
    history = History("p", tuple(events))
    summary = await summarise(
        history, items, platform="cinema", now=10**8, budget_tokens=800, count=model.count
    )
    candidates = tuple(_item(f"c{k}") for k in range(n))
    task = RankTask(summary, candidates, load(method), "cinema", settings=RankConfig())
    ranking = await METHODS[method].rank(task, model, Deadline.after(60))
    blend([1.0 - k / n for k in range(n)], ranking, 0.5, 50)
    return ranking


def _item(key: str) -> Item:
    number = int(key[1:])
    return Item(key, f"A title of usual length, {key}", 1950 + number % 70, categories=(GENRES[number % 8],))


def _reversed(asked: Asked) -> str:
    return json.dumps({"order": _LABEL.findall(asked.messages[-1].content)[::-1]})


def _scores(asked: Asked) -> dict[str, float]:
    return {label: -float(place) for place, label in enumerate(asked.labels or ())}
