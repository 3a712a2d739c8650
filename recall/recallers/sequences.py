"""What people did in order, one sequence per training row (platforms that consent to each other)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recall.types import DISLIKE, LIKE

if TYPE_CHECKING:
    from recall.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Sequences:
    """Parallel arrays of e ≥ 0 events sorted by row, then oldest first."""

    rows: np.ndarray
    """int64: number of the sequence"""
    items: np.ndarray
    """int32"""
    platforms: np.ndarray
    """int8"""
    times: np.ndarray
    """int64 UTC seconds"""

    def only(self, keep: np.ndarray) -> Sequences:
        """The events where the bool mask (or at the positions) `keep`, in their order."""
        return Sequences(self.rows[keep], self.items[keep], self.platforms[keep], self.times[keep])

    def latest_per_item(self) -> Sequences:
        """One event for each item of a row: its latest."""
        order = np.lexsort((np.arange(len(self.rows)), self.items, self.rows))
        rows, items = self.rows[order], self.items[order]
        last = np.r_[(rows[1:] != rows[:-1]) | (items[1:] != items[:-1]), True][: len(order)]
        return self.only(np.sort(order[last]))

    def newest(self, count: int) -> Sequences:
        """At most `count` latest events of each row."""
        ends = np.searchsorted(self.rows, self.rows, side="right")
        return self.only(ends - np.arange(len(self.rows)) <= count)

    def starts(self) -> np.ndarray:
        """int64 offsets of the rows that occur, one more than there are."""
        heads = np.flatnonzero(np.r_[True, self.rows[1:] != self.rows[:-1]][: len(self.rows)])
        return np.r_[heads, len(self.rows)].astype(np.int64)

    def numbered_rows(self) -> np.ndarray:
        """int64: each event's row, renumbered 0, 1, … in the order of `starts`."""
        return np.repeat(np.arange(len(self.starts()) - 1), np.diff(self.starts()))


def likes(dataset: Dataset) -> Sequences:
    """Per person, not per consent group: the likes that count, for counts that join no two platforms."""
    liked = (dataset.event_polarity == LIKE) & (dataset.event_weight > 0)
    return Sequences(
        dataset.event_person[liked].astype(np.int64),
        dataset.event_item[liked],
        dataset.event_platform[liked],
        dataset.event_time[liked],
    )


def consented(dataset: Dataset, *, likes_only: bool) -> Sequences:
    """Events (without dislikes) by training row: platforms meet only where the person lets them.

    A person's platform belongs to a row when all the items trained from it are in that row of the matrix; so
    the groups need not be stored apart from the interactions.
    """
    keep = (dataset.event_polarity == LIKE) if likes_only else (dataset.event_polarity != DISLIKE)
    keep &= dataset.event_weight > 0
    person = dataset.event_person.astype(np.int64)
    groups = np.bincount(dataset.row_person, minlength=len(dataset.persons))
    first_row = np.r_[0, np.cumsum(groups)][:-1]
    keep &= groups[person] > 0
    at = np.repeat(np.flatnonzero(keep), groups[person[keep]])
    copy = np.arange(len(at)) - np.searchsorted(at, at)
    rows = first_row[person[at]] + copy
    order = np.argsort(rows, kind="stable")
    at, rows = at[order], rows[order]
    found = Sequences(rows, dataset.event_item[at], dataset.event_platform[at], dataset.event_time[at])
    several = np.flatnonzero(groups[person[at]] > 1)
    outside = several[~_trained(dataset, rows[several], found.items[several])]
    if not len(outside):
        return found
    # An item that no row of the person holds was not trained at all (too weak a link): it decides nothing.
    anywhere = np.zeros(len(dataset.event_item), bool)
    inside = np.setdiff1d(several, outside)
    anywhere[at[inside]] = True
    outside = outside[anywhere[at[outside]]]
    shut = rows[outside] * len(dataset.platforms) + found.platforms[outside]
    return found.only(~np.isin(rows * len(dataset.platforms) + found.platforms, shut))


def _trained(dataset: Dataset, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
    """bool: whether the matrix holds (row, item)."""
    matrix = dataset.matrix
    wide = np.int64(matrix.shape[1])
    counts = np.diff(matrix.indptr)
    known = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), counts) * wide + matrix.indices
    if not len(known):
        return np.zeros(len(rows), bool)
    wanted = rows.astype(np.int64) * wide + items
    return known[np.minimum(np.searchsorted(known, wanted), len(known) - 1)] == wanted
