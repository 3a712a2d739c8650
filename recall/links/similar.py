"""Titles that are alike: spelt or transliterated in another way, by rapidfuzz on whole blocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from recall.links.clusters import Edge
from recall.links.config import LinksConfig
from recall.links.records import Agreement, Record
from recall.links.titles import numbers, sorted_tokens

_ROWS = 256  # of a similarity matrix at a time: bounds memory, and keeps lengths together
_LETTERS = 10
"""A letter more or less makes another word of a shorter title: Rust and Trust."""
_FAR = 95.0
"""Similarity that titles of different years need."""
DOUBTFUL = 0.7

Block = dict[int, list[int]]
"""Year → rows of one platform."""


def similar_titles(
    records: Sequence[Record], joined: Sequence[frozenset[str]], agreement: Agreement, config: LinksConfig
) -> list[Edge]:
    """Edges between listings whose titles are alike.

    Only rows without a partner on the other platform (`joined[row]` are the platforms that have one) are
    compared, with all of its listings within the year tolerance. Each must be the other's best, with a gap to
    the next. Numbers must be the same: sequels and seasons stay apart.
    """
    by_platform: dict[str, Block] = defaultdict(lambda: defaultdict(list))
    for row, one in enumerate(records):
        if one.year is not None and one.title.main:
            by_platform[one.platform][one.year].append(row)
    edges: list[Edge] = []
    for first, second in combinations(sorted(by_platform), 2):
        best = _best(by_platform[first], by_platform[second], records, joined, config)
        back = _best(by_platform[second], by_platform[first], records, joined, config)
        edges += [
            _edge(a, b, score, records, agreement)
            for a, (b, score) in best.items()
            if back.get(b, (None, 0))[0] == a
            and not {*records[a].title.keys} & {*records[b].title.keys}  # judged by recall/links/match.py
        ]
    return edges


def _edge(a: int, b: int, score: float, records: Sequence[Record], agreement: Agreement) -> Edge:
    one, two = records[a], records[b]
    far = one.year != two.year
    letters = min(len(one.title.main.replace(" ", "")), len(two.title.main.replace(" ", "")))
    good = letters >= _LETTERS and agreement.closeness(one, two) > 0 and (not far or score >= _FAR)
    sure = round(0.5 + 0.4 * score / 100 - 0.03 * far, 4)
    return Edge(a, b, sure if good else min(sure, DOUBTFUL), "fuzzy")


def _best(
    left: Block,
    right: Block,
    records: Sequence[Record],
    joined: Sequence[frozenset[str]],
    config: LinksConfig,
) -> dict[int, tuple[int, float]]:
    """For each open row of `left`: its best row of `right` and the score, where the gap is clear."""
    found: dict[int, tuple[int, float]] = {}
    for year, rows in left.items():
        near = [year + step for step in range(-config.year_tolerance, config.year_tolerance + 1)]
        others = [row for at in near for row in right.get(at, ())]
        if not others:
            continue
        platform = records[others[0]].platform
        open_rows = [row for row in rows if platform not in joined[row]]
        least = max(config.fuzzy - config.gap, 1.0)  # a runner-up below this leaves gap enough
        for a, b, value, second in _first_two(*_alike(open_rows, others, records, least)):
            if value < config.fuzzy or value - second < config.gap:
                continue
            if records[a].platform not in joined[b] and _numbers(records[a]) & _numbers(records[b]):
                found[a] = (b, value)
    return found


def _numbers(one: Record) -> set[tuple[str, ...]]:
    return {numbers(made) for made in one.title.keys}


def _alike(
    rows: list[int], others: list[int], records: Sequence[Record], least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (row, other, similarity 0 to 100) of which any title of one and any of the other reach `least`.

    A pair may occur several times. Only titles whose lengths allow it are compared.
    """
    from rapidfuzz import fuzz, process

    left, left_at, left_length = _spread(rows, records)
    right, right_at, right_length = _spread(others, records)
    share = least / 100 / (2 - least / 100)  # the ratio counts letters in common over the mean length
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for start in range(0, len(left), _ROWS):
        lengths = left_length[start : start + _ROWS]
        low = int(np.searchsorted(right_length, lengths[0] * share, "left"))
        high = int(np.searchsorted(right_length, lengths[-1] / share, "right"))
        scores = process.cdist(
            left[start : start + _ROWS],
            right[low:high],
            scorer=fuzz.ratio,
            dtype=np.float32,
            score_cutoff=least,
        )
        one, other = np.nonzero(scores)
        parts.append((left_at[start + one], right_at[low + other], scores[one, other]))
    if not parts:
        return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0, np.float32)
    one, other, score = (np.concatenate(column) for column in zip(*parts, strict=True))
    return one, other, score


def _spread(rows: list[int], records: Sequence[Record]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Every title of `rows`, the shortest first, with its row and length."""
    made = [(sorted_tokens(key), row) for row in rows for key in records[row].title.keys]
    made.sort(key=lambda pair: (len(pair[0]), pair))
    lengths = np.array([len(key) for key, _ in made], np.intp)
    return [key for key, _ in made], np.array([row for _, row in made], np.intp), lengths


def _first_two(
    one: np.ndarray, other: np.ndarray, score: np.ndarray
) -> Iterator[tuple[int, int, float, float]]:
    """For each of `one`: the best of `other`, its score, and that of the next (0: none). Ties: lowest row."""
    order = np.lexsort((other, -score, one))
    last, best, top, seen = -1, -1, 0.0, True
    for a, b, value in zip(one[order].tolist(), other[order].tolist(), score[order].tolist(), strict=True):
        if a != last:
            if not seen:
                yield last, best, top, 0.0
            last, best, top, seen = a, b, value, False
        elif not seen and b != best:
            yield last, best, top, value
            seen = True
    if not seen:
        yield last, best, top, 0.0
