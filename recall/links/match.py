"""Pairs of listings that share an external id or a title, stage by stage, each with its confidence.

Stages, the surest first: external ids; main title and year; another title (in brackets, after 'aka') and
year; the same letters with other spaces; the same with a year of tolerance, where each side has one
candidate. Then, for what has no partner yet, recall/links/contained.py and recall/links/similar.py.
Confidences order the stages; they are no more than the precision that the stages had on real catalogues.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise

from recall.links.clusters import Clusters, Edge
from recall.links.config import LinksConfig
from recall.links.records import Agreement, Record

EXTERNAL, EXACT, OTHER, SPACES, NEAR_YEAR, OTHER_NEAR, NO_YEAR = 0.995, 0.99, 0.97, 0.95, 0.93, 0.88, 0.85
DOUBTFUL = 0.7
"""Of a pair that only its title speaks for, while categories or an article speak against it."""
_TELLING = 7
"""Letters of a title that joins by itself, with nothing but a year that nearly agrees."""
_LONG = 3
"""Words of a title that may stand two years apart."""


def same_ids(records: Sequence[Record]) -> list[Edge]:
    """Edges between listings that share an external id."""
    by_id: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, one in enumerate(records):
        for pair in one.ids:
            by_id[pair].append(row)
    return [Edge(a, b, EXTERNAL, f"id:{pair[0]}") for pair, rows in by_id.items() for a, b in pairwise(rows)]


def same_titles(records: Sequence[Record], agreement: Agreement) -> list[Edge]:
    """Edges between listings with a title in common and the same year."""
    edges: list[Edge] = []
    for made, rows in blocks(records):
        for a, b in combinations(rows, 2):
            one, two = records[a], records[b]
            if one.year is None or one.year != two.year or _said_already(made, one, two):
                continue
            edges.append(_same_year(a, b, made, one, two, agreement.closeness(one, two)))
    return edges


def _same_year(a: int, b: int, made: str, one: Record, two: Record, close: float) -> Edge:
    if made not in one.title.keys or made not in two.title.keys:
        return Edge(a, b, SPACES if close > 0 else DOUBTFUL, "title without spaces+year")
    main = one.title.main == made and two.title.main == made
    unlike = one.title.written != two.title.written  # 'The Hit List' and 'Hit List', '9' and 'Nine'
    if main and unlike and close == 0:
        return Edge(a, b, DOUBTFUL, "title+year")
    sure = (EXACT if main else OTHER) - 0.01 * (1 - close)
    return Edge(a, b, sure, "title+year" if main else "other title+year")


def _said_already(made: str, one: Record, two: Record) -> bool:
    """Whether `made` is no title of both, and they have another in common that is."""
    keys = {*one.title.keys} & {*two.title.keys}
    return bool(keys) and made not in keys


def near_titles(
    records: Sequence[Record], clusters: Clusters, agreement: Agreement, config: LinksConfig
) -> list[Edge]:
    """Edges between listings of two platforms with a title in common and years that nearly agree, or of
    which one is unknown. Both sides must have no other candidate; copies of one item are one candidate."""
    edges: list[Edge] = []
    for made, rows in blocks(records):
        for a, b in combinations(rows, 2):
            one, two = records[a], records[b]
            if (one.platform == two.platform and one.year == two.year) or _said_already(made, one, two):
                continue
            edges += _near(a, b, made, rows, records, clusters, agreement, config)
    return edges


def _near(
    a: int,
    b: int,
    made: str,
    rows: list[int],
    records: Sequence[Record],
    clusters: Clusters,
    agreement: Agreement,
    config: LinksConfig,
) -> Iterable[Edge]:
    one, two = records[a], records[b]
    main = one.title.main == made and two.title.main == made
    if one.year is None or two.year is None:
        if main and _single(a, b, rows, records, clusters, 9999):
            yield Edge(a, b, NO_YEAR, "title")
        return
    apart = abs(one.year - two.year)
    long = len(made.split()) >= _LONG and main
    if apart == 0 or one.platform == two.platform or apart > config.year_tolerance + long:
        return
    if not _single(a, b, rows, records, clusters, max(apart, config.year_tolerance)):
        return
    close = agreement.closeness(one, two)
    alike = not main or one.title.written == two.title.written
    good = close > 0 and alike and (apart <= config.year_tolerance or close >= 1 / 3)
    good = good and not (agreement.silent(one, two) and len(made) < _TELLING)
    sure = (NEAR_YEAR if main else OTHER_NEAR) - 0.04 * (apart > config.year_tolerance)
    yield Edge(
        a, b, sure if good else DOUBTFUL - 0.1 * (apart - 1), ("" if main else "other ") + "title+near year"
    )


def blocks(records: Sequence[Record]) -> Iterable[tuple[str, list[int]]]:
    """Rows by what their titles have in common: whole titles, and titles without their spaces."""
    by_key: dict[str, list[int]] = defaultdict(list)
    for row, one in enumerate(records):
        for made in {*one.title.keys, *one.title.squeezed}:
            by_key[made].append(row)
    return ((made, rows) for made, rows in by_key.items() if len(rows) > 1)


def _single(
    a: int, b: int, rows: list[int], records: Sequence[Record], clusters: Clusters, tolerance: int
) -> bool:
    """Whether a has no other candidate on b's platform among `rows`, nor b on a's."""

    def rivals(of: int, platform: str, but: int) -> bool:
        year = records[of].year
        for row in rows:
            rival = records[row]
            if rival.platform != platform or clusters.find(row) in (clusters.find(of), clusters.find(but)):
                continue
            if year is None or rival.year is None or abs(rival.year - year) <= tolerance:
                return True
        return False

    return not rivals(a, records[b].platform, b) and not rivals(b, records[a].platform, a)
