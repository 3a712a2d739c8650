"""Listings to items: external ids, then titles and years, never joining what must stay apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from recall.links.clusters import Clusters, Edge, best_edges, labels, links_table
from recall.links.config import LinksConfig
from recall.links.contained import contained_titles
from recall.links.ledger import Decision, Ledger, Node, ordered
from recall.links.match import near_titles, same_ids, same_titles
from recall.links.records import Agreement, Record, record
from recall.links.similar import similar_titles

_COLUMNS = ("title", "year", "creators", "categories", "external_ids")


@dataclass(frozen=True, slots=True)
class Doubt:
    """Two listings that may be one work, and why they were not joined."""

    one: Node
    other: Node
    confidence: float
    method: str
    cause: str
    """'confidence' (below the floor) or 'cluster' (joining would put two different works into one item)."""


class Judge(Protocol):
    """Decides doubtful pairs; higher rooms implement it with a model, tests with a script."""

    name: str

    def same(self, one: Record, other: Record) -> bool | None:
        """Whether both are one work; None: can't tell, the pair stays doubtful."""


@dataclass(frozen=True, slots=True)
class ItemLinks:
    """`links` are recall.tables.LINKS rows; `doubts` the pairs left for a person or a judge, surest first."""

    links: pa.Table
    doubts: tuple[Doubt, ...]
    judged: tuple[Decision, ...] = ()
    """What a judge said, yes and no, for the ledger."""


def link_items(listings: pa.Table, ledger: Ledger, config: LinksConfig) -> pa.Table:
    """recall.tables.LINKS rows of kind 'item': one for each listing, sorted by platform and key."""
    return match_items(listings, ledger, config).links


def match_items(
    listings: pa.Table, ledger: Ledger, config: LinksConfig, judge: Judge | None = None
) -> ItemLinks:
    """Join listings into items. `listings` has platform, listing, first_seen and the columns of LISTINGS.

    A listing joins at most one item. An item holds two listings of one platform only when both have the same
    title, year and categories; whatever else would put two there is a doubt. Listings with different ids of
    one kind (two ISBNs) never meet.
    """
    nodes: list[Node] = list(
        zip(listings["platform"].to_pylist(), listings["listing"].to_pylist(), strict=True)
    )
    have = [name for name in _COLUMNS if name in listings.column_names]
    rows = listings.select(have).to_pylist()
    records = [record(*node, row) for node, row in zip(nodes, rows, strict=True)]
    joining = _Joining(nodes, records, ledger, config.floor, judge)
    joining.take(same_ids(records))
    if config.items:
        agreement, clusters = Agreement.of(records), joining.clusters
        joining.take(same_titles(records, agreement))
        joining.take(near_titles(records, clusters, agreement, config))
        joining.take(contained_titles(records, _platforms(clusters, records), agreement, config))
        joining.take(similar_titles(records, _platforms(clusters, records), agreement, config))
    named = listings.select(["platform", "listing", "first_seen"])
    named = named.rename_columns(["platform", "key", "since"])
    count = len(nodes)
    links = links_table("item", named, labels(joining.clusters, count), *best_edges(count, joining.taken))
    return ItemLinks(links, joining.open_doubts(), tuple(joining.judged))


class _Joining:
    """Takes edges stage by stage; what can't be joined is asked of the judge, and else a doubt."""

    def __init__(
        self,
        nodes: Sequence[Node],
        records: Sequence[Record],
        ledger: Ledger,
        floor: float,
        judge: Judge | None,
    ) -> None:
        self.nodes, self.records, self.floor, self.judge = nodes, records, floor, judge
        self.place = {node: row for row, node in enumerate(nodes)}
        self.apart = self._rows(ledger.apart("item"))
        alone = frozenset(self.place[node] for node in ledger.alone("item") if node in self.place)
        self.clusters = Clusters(len(nodes), sorted(self.apart), alone)
        together = self._rows(ledger.together("item"))
        manual = sorted((Edge(*pair, 1.0, "manual") for pair in together), key=_surest_first(nodes))
        self.trusted = {row for edge in manual for row in (edge.one, edge.other)}
        self.taken = [edge for edge in manual if self.clusters.join(edge.one, edge.other)]
        self.clusters.allow = self._allow
        self.doubts: dict[tuple[int, int], Doubt] = {}
        self.judged: list[Decision] = []

    def take(self, edges: Sequence[Edge]) -> None:
        """Join along the edges, the surest first."""
        for edge in sorted(edges, key=_surest_first(self.nodes)):
            sure = edge.confidence >= self.floor
            if sure and self.clusters.join(edge.one, edge.other):
                self.taken.append(edge)
            elif self.clusters.find(edge.one) != self.clusters.find(edge.other):
                self._doubt(edge, "cluster" if sure else "confidence")

    def _doubt(self, edge: Edge, cause: str) -> None:
        pair = (min(edge.one, edge.other), max(edge.one, edge.other))
        if pair in self.apart or pair in self.doubts:
            return
        one, other = self.nodes[edge.one], self.nodes[edge.other]
        said = self.judge.same(self.records[edge.one], self.records[edge.other]) if self.judge else None
        if self.judge is None or said is None:
            self.doubts[pair] = Doubt(one, other, edge.confidence, edge.method, cause)
            return
        by = f"judge:{self.judge.name}"
        self.judged.append(Decision("item", "add" if said else "remove", one, other, by))
        if not said:
            self.apart.add(pair)
            self.clusters.part(*pair)
            return
        self.clusters.allow = None
        if self.clusters.join(*pair):
            self.taken.append(Edge(*pair, 0.9, by))
        self.clusters.allow = self._allow

    def open_doubts(self) -> tuple[Doubt, ...]:
        """Doubts whose two sides are still two items, the surest first."""
        found = [
            doubt for (a, b), doubt in self.doubts.items() if self.clusters.find(a) != self.clusters.find(b)
        ]
        return tuple(sorted(found, key=lambda doubt: (-doubt.confidence, doubt.one, doubt.other)))

    def _allow(self, left: list[int], right: list[int]) -> bool:
        return _may_join(left, right, self.records, self.trusted)

    def _rows(self, pairs: set[tuple[Node, Node]]) -> set[tuple[int, int]]:
        """Pairs of nodes that are there as pairs of rows, the smaller first."""
        found = ((self.place[a], self.place[b]) for a, b in pairs if a in self.place and b in self.place)
        return {(min(pair), max(pair)) for pair in found}


def _platforms(clusters: Clusters, records: Sequence[Record]) -> list[frozenset[str]]:
    """For each row the platforms that its cluster is on."""
    return [
        frozenset(records[member].platform for member in clusters.members(row)) for row in range(len(records))
    ]


def _may_join(left: list[int], right: list[int], records: Sequence[Record], trusted: set[int]) -> bool:
    """Whether two clusters can be one work: no id in conflict, one listing of a platform, or twins."""
    for a in left:
        for b in right:
            one, two = records[a], records[b]
            kinds = {kind for kind, _ in one.ids} & {kind for kind, _ in two.ids}
            if kinds and not any(pair in two.ids for pair in one.ids):
                return False
            if one.platform == two.platform and not (a in trusted and b in trusted) and not _twins(one, two):
                return False
    return True


def _twins(one: Record, two: Record) -> bool:
    """One work that a platform lists twice: same main title, year, categories and creators."""
    if one.ids & two.ids:
        return True
    same = one.title.main == two.title.main and one.year is not None and one.year == two.year
    return same and one.categories == two.categories and one.creators == two.creators


def _surest_first(nodes: Sequence[Node]) -> Callable[[Edge], tuple[float, Node, Node]]:
    def order(edge: Edge) -> tuple[float, Node, Node]:
        return (-edge.confidence, *ordered(nodes[edge.one], nodes[edge.other]))

    return order
