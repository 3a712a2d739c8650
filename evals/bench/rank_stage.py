"""Our own time per request beside the recall stage's: people of a workspace, the whole pipeline."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Sequence

from evals.bench.figure import Figure
from recall.artefact import Artefact
from recall.build_table import read_table
from recall.candidates import Candidates
from recall.errors import NotFound
from recall.library import BuildLibrary
from recall.protocols import Stock
from recall.recall_config import RecallConfig
from recall.types import Query
from recall.workspace import Workspace
from rerank.config import RankConfig, ReasonsConfig
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.pipeline import Pipeline
from rerank.types import Deadline, Request

DEPTH, RECALLED = 100, 300


def stage_figures(
    workspace: Workspace | None, *, people: int, progress: Callable[[str], None]
) -> list[Figure]:
    """Medians and 95th percentiles over the first `people` persons; nothing without a trained workspace."""
    try:
        folder = workspace.models.current() if workspace is not None else None
    except NotFound:
        folder = None
    if workspace is None or folder is None:
        progress("the pipeline's stages: left out, nothing is trained here (--config names a workspace)")
        return []
    artefact = Artefact.open(folder)
    build = workspace.builds.folder / artefact.manifest.build
    library = BuildLibrary(build)
    persons = read_table(build, "people", ["person"])["person"].to_pylist()[: people + 2]
    stock = Stock(library, Candidates.open(artefact, RecallConfig(), workspace.weights))
    figures: list[Figure] = []
    for method in ("listwise", "logits", "pointwise"):
        progress(f"the pipeline, {method}, {DEPTH} candidates, {people} people")
        recall, rank = asyncio.run(_times(stock, method, persons))
        name = f"whole pipeline, {method}, {DEPTH} of {RECALLED} candidates"
        middle = statistics.median(recall)
        figures += [
            Figure(name, round(statistics.median(rank), 2), "CPU ms beside the model, median"),
            Figure(
                name,
                round(middle, 2),
                "CPU ms of the recall stage, median",
                ratio=statistics.median(rank) / middle,
            ),
            Figure(name, round(_tail(rank), 2), "CPU ms beside the model, p95"),
            Figure(name, round(_tail(recall), 2), "CPU ms of the recall stage, p95"),
        ]
    return figures


async def _times(stock: Stock, method: str, persons: Sequence[str]) -> tuple[list[float], list[float]]:
    """CPU milliseconds of both stages for each person; the first two requests warm up."""
    pipeline = Pipeline(
        lambda: stock,
        ScriptedModel(_reversed, _scores),
        RankConfig(method=method, depth=DEPTH),
        ReasonsConfig(),
    )
    recall, rank = [], []
    for person in persons:
        began = time.process_time()
        history = stock.library.history(person)
        query = Query(history, n=RECALLED, had=stock.library.had(person))
        candidates = tuple(stock.recall.candidates(query).candidates)
        between = time.process_time()
        deadline = Deadline.after(60)
        await pipeline.recommend(
            Request(person, mode="rank", deadline=deadline, history=history, candidates=candidates)
        )
        recall.append(1000 * (between - began))
        rank.append(1000 * (time.process_time() - between))
    return recall[2:], rank[2:]


def _tail(times: list[float]) -> float:
    return sorted(times)[int(0.95 * (len(times) - 1))]


def _reversed(asked: Asked) -> str:
    assert asked.schema is not None
    return json.dumps({"order": asked.schema["properties"]["order"]["items"]["enum"][::-1]})


def _scores(asked: Asked) -> dict[str, float]:
    return {label: -float(place) for place, label in enumerate(asked.labels or ())}
