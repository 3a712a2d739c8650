"""Titles that hold each other: a subtitle, a series or a possessive on one side only.

"Vacation" and "National Lampoon's Vacation", "Return of the Jedi" and "Star Wars: Episode VI - Return of the
Jedi", "My Left Foot" and "My Left Foot: The Story of Christy Brown".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from recall.links.clusters import Edge
from recall.links.config import LinksConfig
from recall.links.records import Agreement, Record
from recall.links.titles import Piece, numbers

CUT, WITHIN, DOUBTFUL = 0.87, 0.82, 0.7
_SHORTEST = 7
"""Letters of a title that may be found inside another one."""
_TELLING = 9
"""Letters of a single word that says enough before a subtitle."""
_CLOSE = 0.3
"""Agreement of categories that a cut inside a phrase, or a year's difference, needs."""


def contained_titles(
    records: Sequence[Record], joined: Sequence[frozenset[str]], agreement: Agreement, config: LinksConfig
) -> list[Edge]:
    """Edges where one title begins or ends the other.

    Only among rows without a partner on the other's platform (`joined[row]` are the platforms that have one),
    and where neither has a second candidate. Numbers must agree, but for the number of an episode in front
    of its title. What speaks against a pair makes it a doubt.
    """
    platforms = {one.platform for one in records}
    whole: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row, one in enumerate(records):
        if one.year is not None and len(one.title.main) >= _SHORTEST:
            whole[one.title.main, one.year].append(row)
    found: dict[tuple[int, int], tuple[Piece, int]] = {}
    for row, one in enumerate(records):
        if one.year is None or joined[row] >= platforms:
            continue
        for piece in one.title.pieces:
            for apart in range(-config.year_tolerance, config.year_tolerance + 1):
                for other in whole.get((piece.text, one.year + apart), ()):
                    two = records[other]
                    if two.platform not in joined[row] and one.platform not in joined[other]:
                        best = found.get((row, other))
                        if best is None or (abs(apart), not piece.cut) < (best[1], not best[0].cut):
                            found[row, other] = (piece, abs(apart))
    return list(_edges(found, records, agreement))


def _edges(
    found: dict[tuple[int, int], tuple[Piece, int]], records: Sequence[Record], agreement: Agreement
) -> Iterator[Edge]:
    partners: dict[tuple[int, str], set[int]] = defaultdict(set)
    for row, other in found:
        partners[row, records[other].platform].add(other)
        partners[other, records[row].platform].add(row)
    for (row, other), (piece, apart) in sorted(found.items()):
        one, two = records[row], records[other]
        if one.platform == two.platform:
            continue
        if len(partners[row, two.platform]) > 1 or len(partners[other, one.platform]) > 1:
            continue
        words = len(piece.text.split())
        if numbers(one.title.main) != numbers(two.title.main) and not (piece.episode and words > 1):
            continue
        close = agreement.closeness(one, two)
        if agreement.silent(one, two):
            good = piece.cut and apart == 0 and (words > 1 or not piece.front)
        elif piece.cut:
            telling = words > 1 or (piece.front and len(piece.text) >= _TELLING)
            good = close >= _CLOSE or (close > 0 and apart == 0 and telling)
            good = good and (apart == 0 or (words > 2 and not piece.front))
        else:
            good = close >= _CLOSE and words > 1 and apart == 0 and not piece.front
        sure = (CUT if piece.cut else WITHIN) - 0.02 * apart
        yield Edge(row, other, sure if good else DOUBTFUL - 0.1 * apart, "contained title")
