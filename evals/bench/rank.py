"""`whyrec bench rank`: our own time around the model, and what each method asks of it.

The model of the first part is a fake that answers at once, so what is timed is building, parsing and
blending. Its tokens are estimated at three characters each. RankLLM's sliding windows of 20 by 10 are counted
for the same lists, in the words of our own listwise prompt. The second part asks for people of the workspace
through the whole pipeline, with recall beside it; the third asks the embedded model with and without its
prefix cache.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evals.bench.figure import Figure
from evals.bench.rank_prefix import prefix_figures
from evals.bench.rank_stage import stage_figures
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
    """Every method at 20, 100 and 300 candidates; the parts that need a workspace or weights are left out
    where there are none, and `progress` says so."""
    figures = []
    theirs = {n: asyncio.run(_peer(n)) for n in SIZES}
    for method in ("listwise", "logits", "pointwise"):
        for n in SIZES:
            progress(f"{method}, {n} candidates")
            figures += asyncio.run(_measure(method, n, 3 if quick else 30, theirs[n]))
    figures += stage_figures(workspace, people=10 if quick else 100, progress=progress)
    figures += prefix_figures(candidates=10 if quick else 100, progress=progress)
    return figures


@dataclass(frozen=True, slots=True)
class _Peer:
    questions: int
    tokens: int


async def _peer(n: int) -> _Peer:
    """What RankLLM asks for a list: each window waits for the one before it."""
    task, model = await _task("listwise", n, ScriptedModel()), ScriptedModel()
    spans = sliding(n, 20, 10)
    labels = [chr(65 + place) for place in range(20)]
    asked = [task.ask(range(start, stop), labels) for start, stop in spans]
    return _Peer(len(spans), sum([await model.count(messages) for messages in asked]))


async def _measure(method: str, n: int, repeats: int, peer: _Peer) -> list[Figure]:
    times, model, ranking = [], ScriptedModel(), Ranking((), ())
    for _ in range(repeats):
        model = ScriptedModel(_reversed, _scores)
        began = time.process_time()
        ranking = await _request(method, n, model)
        times.append(1000 * (time.process_time() - began))
    questions, tokens = len(model.asked), sum(call.usage.prompt for call in ranking.calls)
    name = f"{method}, {n} candidates"
    at_once = RankConfig().concurrency if method == "pointwise" else 1
    rounds = -(-len(ranking.calls) // at_once)
    times.sort()
    figures = [
        Figure(name, round(statistics.median(times), 2), "CPU ms beside the model, median"),
        Figure(name, round(times[int(0.95 * (len(times) - 1))], 2), "CPU ms beside the model, p95"),
    ]
    for unit, ours, theirs in (
        ("questions", questions, peer.questions),
        ("rounds one after another", rounds, peer.questions),
        ("prompt tokens", tokens, peer.tokens),
    ):
        figures += [Figure(name, ours, unit), Figure(name, theirs, unit, PEER, ours / theirs)]
    if method == "pointwise":
        await _request(method, n, model)
        known = len(model.asked) - questions
        figures.append(Figure(name, known, "questions once the items' priors are known"))
    return figures


async def _task(method: str, n: int, model: ScriptedModel) -> RankTask:
    items = {f"h{k}": _item(f"h{k}") for k in range(HISTORY)}
    events = (Event(f"e{k}", "cinema", f"h{k}", "rating", 86_400 * k, 4.0, 1.0, LIKE) for k in range(HISTORY))
    history = History("p", tuple(events))
    summary = await summarise(
        history, items, platform="cinema", now=10**8, budget_tokens=800, count=model.count
    )
    candidates = tuple(_item(f"c{k}") for k in range(n))
    return RankTask(summary, candidates, load(method), "cinema", settings=RankConfig())


async def _request(method: str, n: int, model: ScriptedModel) -> Ranking:
    """Summary, prompts, replies and blend of one request."""
    ranking = await METHODS[method].rank(await _task(method, n, model), model, Deadline.after(60))
    blend([1.0 - k / n for k in range(n)], ranking, 0.5, 50)
    return ranking


def _item(key: str) -> Item:
    number = int(key[1:])
    return Item(key, f"A title of usual length, {key}", 1950 + number % 70, categories=(GENRES[number % 8],))


def _reversed(asked: Asked) -> str:
    return json.dumps({"order": _LABEL.findall(asked.messages[-1].content)[::-1]})


def _scores(asked: Asked) -> dict[str, float]:
    return {label: -float(place) for place, label in enumerate(asked.labels or ())}
