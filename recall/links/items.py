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
    place = {node: row for row, node in enumerate(nodes)}
    apart = [(place[a], place[b]) for a, b in ledger.apart("item") if a in place and b in place]
    alone = frozenset(place[node] for node in ledger.alone("item") if node in place)

    manual = [
        Edge(place[a], place[b], 1.0, "manual")
        for a, b in sorted(ledger.together("item"))
        if a in place and b in place
    ]
    trusted: set[int] = {row for edge in manual for row in (edge.one, edge.other)}
    clusters = Clusters(len(nodes), apart, alone)
    taken = [edge for edge in manual if clusters.join(edge.one, edge.other)]
    clusters.allow = lambda left, right: _may_join(left, right, records, trusted)
    agreement = Agreement.of(records)
    edges = same_ids(records)
    if config.items:
        edges += same_titles(records, agreement)
    doubts: list[Doubt] = []
    judged: list[Decision] = []
    denied: set[frozenset[int]] = set()

    def take(found: Sequence[Edge]) -> None:
        for edge in sorted(found, key=_surest_first(nodes)):
            cause = "confidence" if edge.confidence < config.floor else "cluster"
            if cause == "cluster" and clusters.join(edge.one, edge.other):
                taken.append(edge)
            elif clusters.find(edge.one) != clusters.find(edge.other):
                one, other = nodes[edge.one], nodes[edge.other]
                if frozenset((edge.one, edge.other)) in denied:
                    continue
                said = judge.same(records[edge.one], records[edge.other]) if judge else None
                if judge is None or said is None:
                    doubts.append(Doubt(one, other, edge.confidence, edge.method, cause))
                    continue
                by = f"judge:{judge.name}"
                judged.append(Decision("item", "add" if said else "remove", one, other, by))
                if not said:
                    denied.add(frozenset((edge.one, edge.other)))
                    clusters.part(edge.one, edge.other)
                else:
                    clusters.allow = None
                    if clusters.join(edge.one, edge.other):
                        taken.append(Edge(edge.one, edge.other, 0.9, by))
                    clusters.allow = lambda left, right: _may_join(left, right, records, trusted)

    take(edges)
    if config.items:
        take(near_titles(records, clusters, agreement, config))
        take(contained_titles(records, _platforms(clusters, records), agreement, config))
        take(similar_titles(records, _platforms(clusters, records), agreement, config))
    named = listings.select(["platform", "listing", "first_seen"]).rename_columns(
        ["platform", "key", "since"]
    )
    links = links_table("item", named, labels(clusters, len(nodes)), *best_edges(len(nodes), taken))
    refused = ledger.apart("item")
    kept = {
        (d.one, d.other): d
        for d in reversed(doubts)
        if tuple(sorted((d.one, d.other))) not in refused
        and clusters.find(place[d.one]) != clusters.find(place[d.other])
    }
    ordered_doubts = sorted(kept.values(), key=lambda d: (-d.confidence, d.one, d.other))
    return ItemLinks(links, tuple(ordered_doubts), tuple(judged))


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
