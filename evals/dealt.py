"""The same events in other worlds: platforms apart, items unlinked, items dealt by genre, weights undecayed.

People keep their rows in all of them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from evals.splits import keep_events
from recall.attributes import Tags
from recall.dataset import Dataset
from recall.idmap import IdMap
from recall.types import DISLIKE, LIKE


def undecayed(dataset: Dataset) -> Dataset:
    """Interactions that weigh what their events do, capped, however old these are."""
    matrix, wide = dataset.matrix, np.int64(max(len(dataset.items), 1))
    liked = dataset.event_polarity != DISLIKE
    pairs = dataset.event_person[liked] * wide + dataset.event_item[liked]
    known, where = np.unique(pairs, return_inverse=True)
    whole = np.bincount(where, dataset.event_weight[liked], minlength=len(known))
    person = np.repeat(dataset.row_person.astype(np.int64), np.diff(matrix.indptr))
    at = np.searchsorted(known, person * wide + matrix.indices)
    data = np.minimum(whole[at], dataset.cap).astype(np.float32)
    plain = csr_matrix((data, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)
    return replace(dataset, matrix=plain, half_life_days=float("inf"))


def alone(dataset: Dataset, platform: int) -> Dataset:
    """One platform's events; the others list nothing."""
    kept = keep_events(dataset, dataset.event_platform == platform)
    listed = np.zeros_like(dataset.listed)
    listed[platform] = dataset.listed[platform]
    return replace(kept, listed=listed)


def unlinked(dataset: Dataset) -> tuple[Dataset, np.ndarray]:
    """Every listing an item of its own, and int32[platforms × items]: its row there (-1: not listed).

    An interaction is shared among its listings as the weights of its events are.
    """
    shape = dataset.listed.shape
    listed = dataset.listed.copy()
    listed[dataset.event_platform, dataset.event_item] = True
    place, item = np.nonzero(listed)
    names = np.array(dataset.platforms, dtype="S")[place]
    ids = np.char.add(np.char.add(names, b":"), dataset.items.ids[item])
    order = np.argsort(ids)
    rows = np.full(shape, -1, np.int32)
    rows[place[order], item[order]] = np.arange(len(order), dtype=np.int32)
    offered = np.zeros((shape[0], len(order)), bool)
    offered[place[order], np.arange(len(order))] = True
    return replace(
        dataset,
        items=IdMap(ids[order]),
        texts=dataset.texts.of(item[order].astype(np.int32)) if dataset.texts is not None else None,
        matrix=_shared(dataset, rows, len(order)),
        event_item=rows[dataset.event_platform, dataset.event_item],
        listed=offered,
        listed_from=np.where(offered, dataset.listed_from[place[order], item[order]], np.iinfo(np.int64).max),
    ), rows


def _shared(dataset: Dataset, rows: np.ndarray, items: int) -> csr_matrix:
    platforms, wide = rows.shape
    liked = dataset.event_polarity != DISLIKE
    person = dataset.event_person[liked].astype(np.int64)
    at = (person * wide + dataset.event_item[liked]) * platforms + dataset.event_platform[liked]
    known, where = np.unique(at, return_inverse=True)
    weight = np.bincount(where, dataset.event_weight[liked], minlength=len(known))
    pair = known // platforms
    whole = np.bincount(np.unique(pair, return_inverse=True)[1], weight)
    share = weight / np.maximum(whole[np.unique(pair, return_inverse=True)[1]], 1e-12)
    entry = np.repeat(np.arange(dataset.matrix.shape[0]), np.diff(dataset.matrix.indptr))
    mine = dataset.row_person[entry].astype(np.int64) * wide + dataset.matrix.indices
    first, last = np.searchsorted(pair, mine), np.searchsorted(pair, mine, side="right")
    counts = last - first
    source = np.repeat(np.arange(len(entry)), counts)
    which = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[source]
    data = (dataset.matrix.data[source] * share[which]).astype(np.float32)
    column = rows[known[which] % platforms, pair[which] % wide]
    found = csr_matrix((data, (entry[source], column)), shape=(dataset.matrix.shape[0], items))
    found.eliminate_zeros()
    found.sort_indices()
    return found


def deal_by_genre(dataset: Dataset, categories: Tags) -> Dataset:
    """Two platforms with about equally many likes: each genre goes to one, each item with its first genre.

    Genres are dealt by falling likes, each to the platform that has fewer so far; an item without one goes to
    the first platform.
    """
    starts, codes = categories.starts, categories.codes
    first = np.where(np.diff(starts) > 0, codes[np.minimum(starts[:-1], max(len(codes) - 1, 0))], -1)
    liked = (dataset.event_polarity == LIKE) & (dataset.event_weight > 0)
    likes = np.bincount(first[dataset.event_item[liked]] + 1, minlength=len(categories.names) + 1)
    side = np.zeros(len(likes), np.int8)
    total = [int(likes[0]), 0]
    for code in np.argsort(-likes[1:], kind="stable"):
        side[code + 1] = total[1] < total[0]
        total[side[code + 1]] += int(likes[code + 1])
    of = side[first + 1]
    listed = np.stack([of == 0, of == 1])
    since = dataset.listed_from.min(axis=0, initial=np.iinfo(np.int64).max)
    return replace(
        dataset,
        platforms=("one", "two"),
        event_platform=of[dataset.event_item],
        listed=listed,
        listed_from=np.where(listed, since, np.iinfo(np.int64).max),
    )
