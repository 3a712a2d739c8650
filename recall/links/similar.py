"""Titles that are alike: spelt or transliterated in another way, by rapidfuzz on whole blocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from recall.links.clusters import Edge
from recall.links.config import LinksConfig
from recall.links.records import Agreement, Record
from recall.links.titles import numbers, sorted_tokens

_ROWS = 1024  # of a similarity matrix at a time: bounds memory
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
        for start in range(0, len(open_rows), _ROWS):
            part = open_rows[start : start + _ROWS]
            scores = _scores(part, others, records)
            top = scores.argmax(axis=1)
            value = scores[np.arange(len(part)), top]
            scores[np.arange(len(part)), top] = -1
            second = scores.max(axis=1) if len(others) > 1 else np.full(len(part), -1.0)
            for place in np.flatnonzero((value >= config.fuzzy) & (value - second >= config.gap)).tolist():
                a, b = part[place], others[int(top[place])]
                if records[a].platform not in joined[b] and _numbers(records[a]) & _numbers(records[b]):
                    found[a] = (b, float(value[place]))
    return found


def _numbers(one: Record) -> set[tuple[str, ...]]:
    return {numbers(made) for made in one.title.keys}


def _scores(rows: list[int], others: list[int], records: Sequence[Record]) -> np.ndarray[Any, Any]:
    """float32 [rows, others]: the best similarity (0 to 100) of any title of one and any of the other."""
    from rapidfuzz import fuzz, process

    def spread(given: list[int]) -> tuple[list[str], np.ndarray[Any, Any]]:
        keys = [
            (sorted_tokens(made), place)
            for place, row in enumerate(given)
            for made in records[row].title.keys
        ]
        return [made for made, _ in keys], np.array([place for _, place in keys], np.intp)

    left, left_at = spread(rows)
    right, right_at = spread(others)
    matrix = process.cdist(left, right, scorer=fuzz.ratio, dtype=np.float32, score_cutoff=60)
    starts_left = np.searchsorted(left_at, np.arange(len(rows)))
    starts_right = np.searchsorted(right_at, np.arange(len(others)))
    return np.maximum.reduceat(np.maximum.reduceat(matrix, starts_left, axis=0), starts_right, axis=1)
