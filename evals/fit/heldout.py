"""Questions to recall whose answers are known: people, the platform that asks, and what they liked then."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from evals.check import history
from evals.splits import Held, hold_after, hold_last, keep_events
from recall.dataset import Dataset
from recall.recallers.query import RowQuery
from recall.types import LIKE

LEAST_SHOWN = 3
"""Liked items elsewhere that somebody needs to be asked about as new to a platform."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """`train` holds what may be learnt from and shown; c ≥ 0 cases with one or more targets each."""

    train: Dataset
    persons: np.ndarray
    """int32[c] person rows"""
    platforms: np.ndarray
    """int8[c]: where each is asked, which is where the targets were liked"""
    starts: np.ndarray
    """int64[c + 1] offsets into `targets`"""
    targets: np.ndarray
    """int32 item rows, distinct in a case; none is in the person's part of `train`"""

    def query(self, case: int) -> RowQuery:
        """The person's history, asked on the case's platform; only what that one lists is allowed."""
        asked = history(self.train, int(self.persons[case]))
        platform = int(self.platforms[case])
        return replace(asked, platform=platform, allowed=self.train.listed[platform], _kept={})

    def wanted(self, case: int) -> np.ndarray:
        """int32 targets of one case."""
        return self.targets[self.starts[case] : self.starts[case + 1]]

    def take(self, cases: np.ndarray) -> HeldOut:
        """These cases, in this order; the training stays."""
        counts = np.diff(self.starts)[cases]
        starts = np.r_[0, np.cumsum(counts)].astype(np.int64)
        at = np.repeat(self.starts[cases] - starts[:-1], counts) + np.arange(starts[-1])
        return HeldOut(self.train, self.persons[cases], self.platforms[cases], starts, self.targets[at])

    def sample(self, most: int, seed: int) -> HeldOut:
        """At most so many cases, by a seeded draw."""
        if len(self.persons) <= most:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self.persons), most, replace=False)))


@dataclass(frozen=True, slots=True)
class Newcomers:
    """People made new to a platform: what they did there is hidden."""

    persons: np.ndarray
    """int32[c], ascending"""
    platforms: np.ndarray
    """int8[c]"""
    keep: np.ndarray
    """bool[events]"""


def one_group(dataset: Dataset) -> np.ndarray:
    """bool[persons]: whose platforms all serve each other, so that a whole history may be shown."""
    return np.bincount(dataset.row_person, minlength=len(dataset.persons)) <= 1


def hold_newcomers(dataset: Dataset, *, share: float, most: int | None = None, seed: int = 0) -> Newcomers:
    """Hide one platform, drawn by seed, of a share (and at most so many) of those who liked there and enough
    elsewhere."""
    person, platforms = dataset.event_person, max(len(dataset.platforms), 1)
    liked = (dataset.event_polarity == LIKE) & (dataset.event_weight > 0)
    at = person[liked].astype(np.int64) * platforms + dataset.event_platform[liked]
    counts = np.bincount(at, minlength=len(dataset.persons) * platforms).reshape(-1, platforms)
    elsewhere = counts.sum(axis=1, keepdims=True) - counts
    rng = np.random.default_rng(seed)
    draw = rng.random(counts.shape) * ((counts > 0) & (elsewhere >= LEAST_SHOWN))
    possible = np.flatnonzero((draw.max(axis=1, initial=0.0) > 0) & one_group(dataset))
    count = min(round(share * len(possible)), len(possible) if most is None else most)
    chosen = np.sort(rng.permutation(possible)[:count]).astype(np.int32)
    hidden = np.full(len(dataset.persons), -1)
    hidden[chosen] = draw[chosen].argmax(axis=1)
    return Newcomers(chosen, hidden[chosen].astype(np.int8), hidden[person] != dataset.event_platform)


def held_newcomers(dataset: Dataset, new: Newcomers) -> HeldOut:
    """Their hidden likes are the targets, without items that their shown history holds too."""
    return _held(dataset, keep_events(dataset, new.keep), *_hidden_likes(dataset, new))


def held_out(dataset: Dataset, held: Held) -> HeldOut:
    """Of `hold_last` or `hold_after`; only people whose platforms all serve each other are asked."""
    split = held.split(dataset)
    case = np.flatnonzero(one_group(dataset)[split.persons])
    starts = np.arange(len(case) + 1, dtype=np.int64)
    return HeldOut(split.train, split.persons[case], split.platforms[case], starts, split.targets[case])


def validation(
    dataset: Dataset, *, people: int, moment: int | None = None, newcomers: float = 1 / 3, seed: int = 0
) -> HeldOut:
    """What weights are fitted on: each person's last like, and where there are several platforms the likes of
    some people on one that is hidden from all of it. These are at most a share `newcomers` of the at most
    `people` questions, and of those who could be asked so.

    With a `moment` it is each person's first like of a new item from then on, learnt from what was before.
    """
    held = hold_last(dataset, seed=seed) if moment is None else hold_after(dataset, moment, seed=seed)
    new = hold_newcomers(
        dataset,
        share=newcomers if len(dataset.platforms) > 1 else 0.0,
        most=round(newcomers * people),
        seed=seed + 1,
    )
    chosen = np.zeros(len(dataset.persons), bool)
    chosen[new.persons] = True
    mine = chosen[dataset.event_person]
    early = np.ones(len(mine), bool) if moment is None else dataset.event_time < moment
    train = keep_events(dataset, np.where(mine, new.keep & early, held.keep), held.order)
    ordinary = np.flatnonzero(one_group(dataset)[held.persons] & ~chosen[held.persons])
    left = people - len(new.persons)
    if len(ordinary) > left:
        ordinary = np.sort(np.random.default_rng(seed).choice(ordinary, left, replace=False))
    person, platform, item = _hidden_likes(dataset, new)
    event = held.events[ordinary]
    return _held(
        dataset,
        train,
        np.r_[held.persons[ordinary], person].astype(np.int32),
        np.r_[dataset.event_platform[event], platform].astype(np.int8),
        np.r_[dataset.event_item[event], item].astype(np.int32),
    )


def _hidden_likes(dataset: Dataset, new: Newcomers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(person, platform, item) of each hidden like of an item that is not in what is shown, each once."""
    liked = (dataset.event_polarity == LIKE) & (dataset.event_weight > 0) & ~new.keep
    wide = np.int64(max(len(dataset.items), 1))
    pairs = dataset.event_person.astype(np.int64) * wide + dataset.event_item
    found, first = np.unique(pairs[liked], return_index=True)
    fresh = ~np.isin(found, pairs[new.keep])
    at = np.flatnonzero(liked)[first[fresh]]
    return dataset.event_person[at], dataset.event_platform[at], dataset.event_item[at]


def _held(
    dataset: Dataset, train: Dataset, person: np.ndarray, platform: np.ndarray, item: np.ndarray
) -> HeldOut:
    """Cases of parallel (person, platform, target), by person; a person is asked on one platform."""
    order = np.lexsort((item, person))
    person, platform, item = person[order], platform[order], item[order]
    heads = np.flatnonzero(np.r_[True, person[1:] != person[:-1]][: len(person)])
    starts = np.r_[heads, len(person)].astype(np.int64)
    return HeldOut(
        train, person[heads].astype(np.int32), platform[heads].astype(np.int8), starts, item.astype(np.int32)
    )
