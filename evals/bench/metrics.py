"""`whyrec bench metrics`: all ranking metrics of many people at once, beside ranx on the same lists."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench.figure import Figure
from evals.kernel import METRICS, measure
from recall.errors import MissingExtra
from recall.workspace import Workspace

PEOPLE, PLACES, CATALOGUE, RELEVANT, K = 100_000, 100, 1_000, 10, 10
CHUNK = 10_000
"""People that ranx is given at a time: its dictionaries of all would take gigabytes."""


def run(
    *, quick: bool, cache: Path, workspace: Workspace | None, progress: Callable[[str], None]
) -> list[Figure]:
    """CPU seconds for seven metrics at 10, after compiling; ranx's own time, and with filling its tables."""
    try:
        import ranx
    except ImportError as error:
        raise MissingExtra("ranx", "dev") from error
    people = 2_000 if quick else PEOPLE
    name = f"{len(METRICS)} metrics at {K}, {people:,} people × {PLACES}"
    progress("drawing the lists")
    lists, relevant = _drawn(people)
    starts = np.arange(people + 1) * RELEVANT
    measure(lists[:10], starts[:11], relevant[:10].ravel(), [K])
    began = time.process_time()
    ours = measure(lists, starts, relevant.ravel(), [K])[:, 0]
    mine = time.process_time() - began
    progress("ranx compiles")
    names = [f"{metric}@{K}" for metric in METRICS]
    _ranx(ranx, names, lists[:50], relevant[:50])
    filling = scoring = 0.0
    theirs = []
    for first in range(0, people, CHUNK):
        progress(f"ranx, {first:,} of {people:,}")
        part = slice(first, first + CHUNK)
        found, fill, score = _ranx(ranx, names, lists[part], relevant[part])
        theirs.append(found)
        filling, scoring = filling + fill, scoring + score
    agree = float((np.abs(np.concatenate(theirs, axis=1) - ours) < 1e-9).mean())
    return [
        Figure(name, round(mine, 4), "s CPU", agree=agree),
        Figure(name, round(scoring, 3), "s CPU", "ranx, its tables filled", mine / scoring, agree),
        Figure(name, round(filling + scoring, 3), "s CPU", "ranx, with filling", mine / (filling + scoring)),
    ]


def _drawn(people: int) -> tuple[np.ndarray, np.ndarray]:
    """Lists int32[people × PLACES] and relevant items int32[people × RELEVANT], ascending."""
    rng = np.random.default_rng(0)
    lists = np.empty((people, PLACES), np.int32)
    relevant = np.empty((people, RELEVANT), np.int32)
    for first in range(0, people, CHUNK):
        part = slice(first, min(first + CHUNK, people))
        size = part.stop - part.start
        lists[part] = np.argsort(rng.random((size, CATALOGUE), np.float32), axis=1)[:, :PLACES]
        drawn = np.argsort(rng.random((size, CATALOGUE), np.float32), axis=1)[:, :RELEVANT]
        relevant[part] = np.sort(drawn, axis=1)
    return lists, relevant


def _ranx(
    ranx: Any, names: list[str], lists: np.ndarray, relevant: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """float64[metrics × people], and the CPU seconds to fill its tables and to score them."""
    began = time.process_time()
    people = [f"{person:06}" for person in range(len(lists))]  # it answers in the order of sorted names
    qrels = ranx.Qrels(
        {
            person: {str(item): 1 for item in row}
            for person, row in zip(people, relevant.tolist(), strict=True)
        }
    )
    score = np.arange(PLACES, 0, -1).astype(float).tolist()
    asked = ranx.Run(
        {
            person: dict(zip(map(str, row), score, strict=True))
            for person, row in zip(people, lists.tolist(), strict=True)
        }
    )
    filled = time.process_time()
    found = ranx.evaluate(qrels, asked, names, return_mean=False)
    done = time.process_time()
    return np.array([found[name] for name in names]), filled - began, done - filled
