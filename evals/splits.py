"""Held-out events: each person's last like, or all after a moment. Ties in time break by a seeded draw."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix

from recall.dataset import Dataset
from recall.types import LIKE


@dataclass(frozen=True, slots=True)
class Split:
    """`train` holds what may be learnt from and shown; one target for each of c ≥ 0 people."""

    train: Dataset
    persons: np.ndarray
    """int32[c] person rows, ascending"""
    targets: np.ndarray
    """int32[c] item rows; a person's target is not in that person's part of `train`"""
    platforms: np.ndarray
    """int8[c]: where the target was liked"""


@dataclass(frozen=True, slots=True)
class Held:
    """What a split holds out, as positions among the dataset's events (in the build's order)."""

    persons: np.ndarray
    """int32[c] person rows, ascending"""
    events: np.ndarray
    """int64[c]: each person's held-out event"""
    keep: np.ndarray
    """bool[events]: what may be learnt from and shown"""
    order: np.ndarray
    """int64[events]: positions by person, time and the seeded draw"""

    def split(self, dataset: Dataset) -> Split:
        """The split that these make of the dataset they were taken from."""
        train = keep_events(dataset, self.keep, self.order)
        targets = dataset.event_item[self.events].astype(np.int32)
        return Split(train, self.persons, targets, dataset.event_platform[self.events])


def last_liked(dataset: Dataset, *, seed: int = 0) -> Split:
    """Hold out the last liked item of everyone who has events of another item before it.

    The person's training history ends before the held-out event, and loses every earlier event of its item.
    """
    return hold_last(dataset, seed=seed).split(dataset)


def after(dataset: Dataset, moment: int, *, seed: int = 0) -> Split:
    """Train on all events before `moment`; the target is a person's first liked new item from then on."""
    return hold_after(dataset, moment, seed=seed).split(dataset)


def hold_last(dataset: Dataset, *, seed: int = 0) -> Held:
    """As `last_liked`."""
    person, order = dataset.event_person, _order(dataset, seed)
    liked = (dataset.event_polarity == LIKE) & (dataset.event_weight > 0)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    last = np.full(len(dataset.persons), -1, np.int64)
    np.maximum.at(last, person[liked], rank[liked])
    held = np.full(len(dataset.persons), -1, np.int64)
    held[last >= 0] = order[last[last >= 0]]
    target = np.where(held >= 0, dataset.event_item[held], -1)
    before = (last[person] < 0) | ((rank < last[person]) & (dataset.event_item != target[person]))
    left = np.bincount(person[before & liked], minlength=len(dataset.persons))
    cases = np.flatnonzero((held >= 0) & (left > 0)).astype(np.int32)
    case = np.zeros(len(dataset.persons), bool)
    case[cases] = True
    return Held(cases, held[cases], before | ~case[person], order)


def hold_after(dataset: Dataset, moment: int, *, seed: int = 0, last: bool = False) -> Held:
    """As `after`; with `last` the target is the person's last such item instead of the first."""
    order = _order(dataset, seed)
    early = dataset.event_time < moment
    late = order[~early[order]]
    late = late[(dataset.event_polarity[late] == LIKE) & (dataset.event_weight[late] > 0)]
    person = dataset.event_person
    wide = np.int64(max(len(dataset.items), 1))
    seen = np.unique(person[early] * wide + dataset.event_item[early])
    late = late[~np.isin(person[late] * wide + dataset.event_item[late], seen)]
    if last:
        late = late[::-1]
    persons, first = np.unique(person[late], return_index=True)
    known = np.isin(persons, person[early])
    return Held(persons[known].astype(np.int32), late[first[known]], early, order)


def keep_events(dataset: Dataset, keep: np.ndarray, order: np.ndarray | None = None) -> Dataset:
    """The dataset of some of its events (bool mask), in `order`. People and items keep their rows.

    An interaction keeps the share of its weight that its kept likes had; without any it goes.
    """
    order = np.arange(len(keep)) if order is None else order
    chosen = order[keep[order]]
    person = dataset.event_person
    counts = np.bincount(person[chosen], minlength=len(dataset.persons))
    return replace(
        dataset,
        matrix=_matrix(dataset, keep),
        event_row=np.r_[0, np.cumsum(counts)].astype(np.int64),
        event_item=dataset.event_item[chosen],
        event_platform=dataset.event_platform[chosen],
        event_time=dataset.event_time[chosen],
        event_weight=dataset.event_weight[chosen],
        event_polarity=dataset.event_polarity[chosen],
    )


def _order(dataset: Dataset, seed: int) -> np.ndarray:
    """Event positions by person, then time, then a seeded draw."""
    draw = np.random.default_rng(seed).permutation(len(dataset.event_item))
    return np.lexsort((draw, dataset.event_time, dataset.event_person))


def _matrix(dataset: Dataset, keep: np.ndarray) -> csr_matrix:
    matrix = dataset.matrix
    wide = np.int64(max(matrix.shape[1], 1))
    pairs = dataset.event_person * wide + dataset.event_item
    known, where = np.unique(pairs, return_inverse=True)
    whole = np.bincount(where, dataset.event_weight, minlength=len(known))
    kept = np.bincount(where, np.where(keep, dataset.event_weight, 0), minlength=len(known))
    person = np.repeat(dataset.row_person.astype(np.int64), np.diff(matrix.indptr))
    wanted = person * wide + matrix.indices
    at = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    share = np.ones(len(wanted)) if not len(known) else kept[at] / np.maximum(whole[at], 1e-12)
    data = (matrix.data * share).astype(np.float32)
    found = csr_matrix((data, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)
    found.eliminate_zeros()
    return found
