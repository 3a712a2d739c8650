"""Pairs of listings that may be one work, stage by stage, each with its confidence.

Stages, the surest first: external ids; main title and year; another title (in brackets, after 'aka') and
year; the same with a year of tolerance, where each side has one candidate; token-sorted fuzzy titles with a
clear gap to the runner-up; a title that begins or ends the other one, in the same year. Confidences order
the stages; they are no more than the precision that the stages had on real catalogues.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from recall.links.clusters import Edge
from recall.links.config import LinksConfig
from recall.links.titles import Title, numbers, parse_title, sorted_tokens

EXTERNAL, EXACT, OTHER, NEAR_YEAR, OTHER_NEAR, NO_YEAR, CONTAINED = 0.995, 0.99, 0.97, 0.93, 0.88, 0.85, 0.85
_SHORTEST = 7  # letters of a title that may be found inside another one
_ROWS = 1024  # of a similarity matrix at a time: bounds memory


@dataclass(frozen=True, slots=True)
class Record:
    """One listing as matching sees it."""

    platform: str
    listing: str
    title: Title
    year: int | None
    categories: frozenset[str] = frozenset()
    creators: frozenset[str] = frozenset()
    ids: frozenset[tuple[str, str]] = frozenset()


def record(platform: str, listing: str, row: dict[str, Any]) -> Record:
    """From a row of a listings table; `external_ids` are a map or texts of kind, separator and value."""
    from recall.ids import SEPARATOR

    ids = row.get("external_ids") or ()
    pairs = [tuple(one.split(SEPARATOR, 1)) if isinstance(one, str) else tuple(one) for one in ids]
    return Record(
        platform,
        listing,
        parse_title(row.get("title") or ""),
        row.get("year"),
        frozenset(name.casefold() for name in row.get("categories") or ()),
        frozenset(name.casefold() for name in row.get("creators") or ()),
        frozenset((str(kind), str(value)) for kind, value in pairs),
    )


def same_ids(records: Sequence[Record]) -> list[Edge]:
    """Edges between listings that share an external id."""
    by_id: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, one in enumerate(records):
        for pair in one.ids:
            by_id[pair].append(row)
    return [Edge(a, b, EXTERNAL, f"id:{pair[0]}") for pair, rows in by_id.items() for a, b in pairwise(rows)]


def same_titles(records: Sequence[Record], config: LinksConfig) -> list[Edge]:
    """Edges between listings with a title in common and years that agree."""
    by_key: dict[str, list[int]] = defaultdict(list)
    for row, one in enumerate(records):
        for made in set(one.title.keys):
            by_key[made].append(row)
    edges: list[Edge] = []
    for made, rows in by_key.items():
        if len(rows) > 1:
            edges += _within(made, rows, records, config)
    return edges


def _closeness(one: Record, two: Record) -> float:
    """0 (no creator or category in common) to 1 (all, or nothing known): decides between namesakes."""
    shares = [
        len(a & b) / len(a | b)
        for a, b in ((one.categories, two.categories), (one.creators, two.creators))
        if a and b
    ]
    return min(shares, default=1.0)


def _within(made: str, rows: list[int], records: Sequence[Record], config: LinksConfig) -> Iterable[Edge]:
    """Edges among the listings of one key. Blocks are small: those that share a whole title."""
    for a, b in combinations(rows, 2):
        one, two = records[a], records[b]
        main = one.title.main == made and two.title.main == made
        if one.year is None or two.year is None:
            if (
                main
                and (one.year != two.year or one.platform != two.platform)
                and _single(a, b, rows, records, 9999)
            ):
                yield Edge(a, b, NO_YEAR, "title")
            continue
        apart = abs(one.year - two.year)
        if apart == 0:
            sure = (EXACT if main else OTHER) - 0.01 * (1 - _closeness(one, two))
            yield Edge(a, b, sure, "title+year" if main else "other title+year")
        elif (
            apart <= config.year_tolerance
            and one.platform != two.platform
            and _single(a, b, rows, records, config.year_tolerance)
        ):
            yield Edge(
                a,
                b,
                NEAR_YEAR if main else OTHER_NEAR,
                "title+near year" if main else "other title+near year",
            )


def _single(a: int, b: int, rows: list[int], records: Sequence[Record], tolerance: int) -> bool:
    """Whether a has no other candidate on b's platform among `rows`, nor b on a's."""

    def rivals(of: int, platform: str, but: int) -> bool:
        year = records[of].year
        for row in rows:
            rival = records[row]
            if row in (of, but) or rival.platform != platform:
                continue
            if year is None or rival.year is None or abs(rival.year - year) <= tolerance:
                return True
        return False

    return not rivals(a, records[b].platform, b) and not rivals(b, records[a].platform, a)


def similar_titles(
    records: Sequence[Record], joined: Iterable[frozenset[str]], config: LinksConfig
) -> list[Edge]:
    """Edges between listings whose titles are alike; `joined[row]` are platforms already found for the row.

    Only rows without a partner on the other platform are compared, with all of its listings within the year
    tolerance, by rapidfuzz on whole blocks. Numbers must be the same: sequels and seasons stay apart.
    """
    have = list(joined)
    by_platform: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, one in enumerate(records):
        if one.year is not None and one.title.main:
            by_platform[one.platform][one.year].append(row)
    edges: list[Edge] = []
    for first, second in combinations(sorted(by_platform), 2):
        best = _best(by_platform[first], by_platform[second], records, have, config)
        back = _best(by_platform[second], by_platform[first], records, have, config)
        edges += [
            Edge(
                a,
                b,
                round(0.5 + 0.45 * score / 100 - 0.03 * (records[a].year != records[b].year), 4),
                "fuzzy",
            )
            for a, (b, score) in best.items()
            if back.get(b, (None, 0))[0] == a
        ]
    return edges


def contained_titles(records: Sequence[Record], joined: Sequence[frozenset[str]]) -> list[Edge]:
    """Edges where one title begins or ends the other: a subtitle or "National Lampoon's" on one side only.

    Only among rows without a partner on the other's platform, in the same year, with the same numbers, where
    neither has a second candidate. Categories that hardly agree make it a doubt.
    """
    whole: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row, one in enumerate(records):
        if one.year is not None and len(one.title.main) >= _SHORTEST:
            whole[one.title.main, one.year].append(row)
    partners: dict[tuple[int, str], set[int]] = defaultdict(set)
    for row, one in enumerate(records):
        words = one.title.main.split()
        for part in {" ".join(piece) for at in range(1, len(words)) for piece in (words[:at], words[at:])}:
            for other in whole.get((part, one.year), ()) if one.year is not None else ():
                two = records[other]
                if two.platform not in joined[row] and one.platform not in joined[other]:
                    partners[row, two.platform].add(other)
                    partners[other, one.platform].add(row)
    return [
        Edge(row, other, round(CONTAINED - 0.1 * (_closeness(one, two) < 0.2), 2), "contained title")
        for (row, platform), found in sorted(partners.items())
        if len(found) == 1
        for other in found
        if row < other and len(partners[other, records[row].platform]) == 1
        for one, two in ((records[row], records[other]),)
        if numbers(one.title.main) == numbers(two.title.main)
    ]


def _best(
    left: dict[int, list[int]],
    right: dict[int, list[int]],
    records: Sequence[Record],
    have: list[frozenset[str]],
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
        open_rows = [row for row in rows if platform not in have[row]]
        for start in range(0, len(open_rows), _ROWS):
            part = open_rows[start : start + _ROWS]
            scores = _scores(part, others, records)
            top = scores.argmax(axis=1)
            value = scores[np.arange(len(part)), top]
            scores[np.arange(len(part)), top] = -1
            second = scores.max(axis=1) if len(others) > 1 else np.full(len(part), -1.0)
            for place in np.flatnonzero((value >= config.fuzzy) & (value - second >= config.gap)).tolist():
                a, b = part[place], others[int(top[place])]
                if records[a].platform not in have[b] and _numbers(records[a]) & _numbers(records[b]):
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
