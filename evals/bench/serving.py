"""What recall takes of an answer: history, items had, candidates and explanations for real people."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from evals.bench.figure import Figure, against
from recall.artefact import Artefact
from recall.candidates import Candidates
from recall.library import BuildLibrary
from recall.recall_config import RecallConfig
from recall.types import Query
from recall.workspace import Workspace


def serving(workspace: Workspace, artefact: Path, *, people: int) -> list[Figure]:
    """CPU time for people of the artefact's build, each asked on one of its platforms; masks are warm."""
    opened = Artefact.open(artefact)
    library = BuildLibrary(workspace.builds.folder / opened.manifest.build)
    recall = Candidates.open(opened, RecallConfig(), workspace.weights)
    accounts = sorted(library.links.accounts.items())
    rng = np.random.default_rng(0)
    chosen = [accounts[at] for at in rng.choice(len(accounts), min(people, len(accounts)), replace=False)]
    seconds: dict[str, list[float]] = {}

    def clock(name: str, work: Callable[[], object]) -> None:
        started = time.process_time()
        work()
        seconds.setdefault(name, []).append(time.process_time() - started)

    def query(person: str, platform: str, n: int) -> Query:
        history = library.history(person, platform=platform)
        return Query(history, platform, n=n, had=library.had(person, platform=platform))

    for turn in range(2):
        if turn:
            seconds.clear()
        for (platform, _), (person, _) in chosen:
            clock("history and items had", lambda p=person, f=platform: query(p, f, 10))  # type: ignore[misc]
            for n in (10, 300):
                asked = query(person, platform, n)
                clock(f"{n} candidates", lambda q=asked: recall.candidates(q))  # type: ignore[misc]
            asked = query(person, platform, 10)
            first = [one.item for one in recall.candidates(asked).candidates]
            clock("explaining 10", lambda q=asked, f=first: recall.explain(q, f))  # type: ignore[misc]
    items = len(opened.items)
    return [
        figure
        for name, taken in seconds.items()
        for figure in against(f"{name}, {items:,} items", np.array(taken), {}, {})
    ]
