"""Validation questions for fitting: what a person chose before the last liked item, asked as of that moment.

The last liked item of each person stays out of all of it, so that a test on it is not spoilt. The recallers
are trained without both. Candidates are what they propose to the person's history before that moment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evals.check import fit
from evals.splits import Split, last_liked
from recall.artefact import FORMAT, Artefact, Manifest
from recall.attributes import GROUP, attributes
from recall.candidates import Candidates
from recall.dataset import Dataset
from recall.errors import DataError
from recall.protocols import Library
from recall.recall_config import RecallConfig
from recall.train_config import TrainConfig
from recall.types import LIKE, Candidate, History, Query
from recall.weights import Weights
from rerank.weights import segments

SPLIT = "each person's last liked item but one; the last one is left out"


@dataclass(frozen=True, slots=True)
class Question:
    """One case: the history before `as_of`, the frozen candidates, and the item that came next."""

    person: str
    platform: str
    as_of: int
    history: History
    candidates: tuple[Candidate, ...]
    target: str

    @property
    def place(self) -> int | None:
        """The target's place among the candidates, from 0; None where it is not there."""
        return next((one.rank for one in self.candidates if one.item == self.target), None)

    @property
    def segments(self) -> tuple[str, ...]:
        return segments(self.history, self.platform)


def questions(
    build: Path,
    library: Library,
    train: TrainConfig,
    recall: RecallConfig,
    weights: Weights,
    *,
    people: int,
    n: int,
    seed: int = 0,
) -> list[Question]:
    """At most `people` questions with `n` candidates each, by a seeded draw, in the order of person ids.

    `library` gives the histories, so what may not serve the asking platform is not in them. DataError where
    nobody has three liked items.
    """
    dataset = Dataset.load(build)
    whole = last_liked(dataset, seed=seed)
    split = last_liked(whole.train, seed=seed)
    chosen = np.flatnonzero(np.isin(split.persons, whole.persons))
    if not len(chosen):
        raise DataError(f"{build}: nobody has three liked items, so there is nothing to fit weights on")
    if len(chosen) > people:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, people, replace=False))
    recallers = Candidates(_artefact(build, split.train, train), recall, weights)
    persons = dataset.persons.names(split.persons[chosen])
    targets = dataset.items.names(split.targets[chosen])
    found = []
    for case, person, target in zip(chosen, persons, targets, strict=True):
        moment = _moment(whole.train, split, int(case))
        platform = dataset.platforms[int(split.platforms[case])]
        before = _items(split.train, int(split.persons[case]))  # ties in time are settled by the split
        events = library.history(person, platform=platform, as_of=moment + 1).events
        history = History(person, tuple(event for event in events if event.item in before))
        query = Query(history, platform=platform, as_of=moment, n=n, had=before)
        candidates = tuple(recallers.candidates(query).candidates)
        found.append(Question(person, platform, moment, history, candidates, target))
    return found


def digest(asked: Sequence[Question]) -> str:
    """Hash of all that is asked: people, histories, candidates, targets (16 hex digits)."""
    rows = [
        [
            q.person,
            q.platform,
            q.as_of,
            [e.id for e in q.history.events],
            [c.item for c in q.candidates],
            q.target,
        ]
        for q in asked
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def _moment(dataset: Dataset, split: Split, case: int) -> int:
    """When the person liked the target last, as far as `dataset` goes."""
    person, target = int(split.persons[case]), int(split.targets[case])
    mine = slice(int(dataset.event_row[person]), int(dataset.event_row[person + 1]))
    liked = (dataset.event_item[mine] == target) & (dataset.event_polarity[mine] == LIKE)
    return int(dataset.event_time[mine][liked].max())


def _items(train: Dataset, person: int) -> frozenset[str]:
    """Ids of the items of the person's training events."""
    mine = slice(int(train.event_row[person]), int(train.event_row[person + 1]))
    return frozenset(train.items.names(train.event_item[mine]))


def _artefact(build: Path, train: Dataset, config: TrainConfig) -> Artefact:
    """All recallers trained in this process, never written."""
    arrays = {**fit(train, config), GROUP: attributes(build, train)}
    manifest = Manifest(
        format=FORMAT,
        build=train.build,
        reference_time=train.reference_time,
        trained=0,
        config=config.model_dump(),
        versions={},
        platforms=train.platforms,
        files={},
    )
    return Artefact("validation", manifest, train.items, train.listed, arrays)
