"""Accounts to persons: link tables and shared keys, with transitive closure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recall.ids import SEPARATOR
from recall.links.clusters import Clusters, Edge, best_edges, labels, links_table
from recall.links.config import LinksConfig
from recall.links.ledger import Ledger

CLAIMS = pa.schema(
    [("key", pa.string()), ("platform", pa.string()), ("user", pa.string()), ("confidence", pa.float64())]
)
"""Accounts with the same key are one person. A key is METHOD, ':' and something that only has to be equal."""

CONFIDENCE = {"email": 0.98, "phone": 0.95}
"""Of links by a shared key: a household has one telephone more often than one mailbox."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Keys that link nobody, because too many accounts have them or hang together by them."""

    method: str
    """'table', 'email', 'phone'; of a chain: all of its keys' methods, joined by '+'."""
    cause: str
    """'shared' (too many accounts of one platform have the key) or 'chain'."""
    accounts: int
    """How many accounts it would have joined; of a shared key: on the platform that has most."""


@dataclass(frozen=True, slots=True)
class PeopleLinks:
    """`links` are recall.tables.LINKS rows of kind 'person', one for each account."""

    links: pa.Table
    refused: tuple[Refused, ...]
    """Without the keys themselves; the ones with most accounts first."""


def link_people(accounts: pa.Table, claims: pa.Table, ledger: Ledger, config: LinksConfig) -> PeopleLinks:
    """Join accounts into persons.

    `accounts` has platform, user, first_seen and may have keys (lists of 'KIND:HASH'); `claims` are CLAIMS.
    Accounts that have no row count as bridges between those that have one. What the ledger holds apart
    stays apart, on whatever way it would be joined; there the surest claims come first.
    """
    graph = _Graph.of(accounts, claims)
    shared = graph.too_shared(config.accounts_per_key)
    refused = [Refused(str(graph.method[key]), "shared", count) for key, count in shared]
    graph = graph.without(np.isin(graph.key, [key for key, _ in shared]))
    component = graph.components()
    chains = graph.too_long(component, config.accounts_per_person)
    refused += [graph.chain(component, which, count) for which, count in chains]
    graph = graph.without(np.isin(component[graph.node], [which for which, _ in chains]))
    return PeopleLinks(
        _decided(accounts, graph, ledger),
        tuple(sorted(refused, key=lambda one: (-one.accounts, one.method, one.cause))),
    )


def _decided(accounts: pa.Table, graph: _Graph, ledger: Ledger) -> pa.Table:
    """Components as they are, but for those that the ledger has a say in: they are joined pair by pair."""
    rows = graph.nodes[: graph.accounts].to_pylist() if ledger.decisions else []
    row = {node: at for at, node in enumerate(rows)}
    manual = [(row[a], row[b]) for a, b in sorted(_named(ledger.together("person"))) if a in row and b in row]
    apart = [(row[a], row[b]) for a, b in _named(ledger.apart("person")) if a in row and b in row]
    alone = frozenset(row[node] for node in map(SEPARATOR.join, ledger.alone("person")) if node in row)
    component = graph.components(manual)
    touched = {one for pair in (*manual, *apart) for one in pair} | alone
    redo = np.unique(component[sorted(touched)]) if touched else np.zeros(0, component.dtype)
    mine = np.isin(component[graph.node], redo)
    confidence, method = graph.surest(~mine)
    if len(redo):
        edges = [Edge(a, b, 1.0, "manual") for a, b in manual] + graph.edges(mine)
        clusters = Clusters(graph.size, apart, alone)
        taken = [edge for edge in edges if clusters.join(edge.one, edge.other)]
        found = labels(clusters, graph.size) + component.max(initial=0) + 1
        component = np.where(np.isin(component, redo), found, component)
        sure, how = best_edges(graph.accounts, taken)
        confidence = np.maximum(confidence, sure)
        method = np.where(np.array(how, dtype=object) != "", np.array(how, dtype=object), method)
    nodes = accounts.select(["platform", "user", "first_seen"]).rename_columns(["platform", "key", "since"])
    return links_table("person", nodes, component[: graph.accounts], confidence, method)


def _named(pairs: set[tuple[tuple[str, str], tuple[str, str]]]) -> set[tuple[str, str]]:
    return {(SEPARATOR.join(one), SEPARATOR.join(other)) for one, other in pairs}


@dataclass(frozen=True, slots=True)
class _Graph:
    """Claims as edges between nodes (accounts, those with a row first) and keys."""

    nodes: pa.Array
    """PLATFORM<separator>USER."""
    platform: np.ndarray
    """intp[nodes]: codes."""
    method: np.ndarray
    """object[keys]"""
    accounts: int
    """How many of the nodes have a row."""
    node: np.ndarray
    """intp[claims]"""
    key: np.ndarray
    """intp[claims]"""
    confidence: np.ndarray
    """float64[claims]"""

    @classmethod
    def of(cls, accounts: pa.Table, claims: pa.Table) -> _Graph:
        whole = pa.concat_tables([claims.select(CLAIMS.names).cast(CLAIMS), _key_claims(accounts)])
        by = ["key", "platform", "user"]
        whole = whole.group_by(by, use_threads=False).aggregate([("confidence", "max")])
        whole = whole.sort_by([(name, "ascending") for name in by])
        have, named = _joined(accounts), _joined(whole)
        nodes = pa.concat_arrays([have, pc.unique(named.filter(pc.invert(pc.is_in(named, value_set=have))))])
        keys = pc.unique(whole["key"])
        return cls(
            nodes,
            _places(_before(nodes, SEPARATOR), pc.unique(_before(nodes, SEPARATOR))),
            _before(keys, ":").to_numpy(zero_copy_only=False),
            len(have),
            _places(named, nodes),
            _places(whole["key"], keys),
            whole["confidence_max"].to_numpy(),
        )

    @property
    def size(self) -> int:
        return len(self.nodes) + len(self.method)

    def without(self, gone: np.ndarray) -> _Graph:
        keep = ~gone
        return replace(self, node=self.node[keep], key=self.key[keep], confidence=self.confidence[keep])

    def components(self, more: Sequence[tuple[int, int]] = ()) -> np.ndarray:
        """intp[nodes and keys]: the number of the connected component; `more` are pairs of nodes."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        if not self.size:
            return np.zeros(0, np.intp)
        pairs = np.array(more, np.intp).reshape(-1, 2)
        one = np.concatenate([self.node, pairs[:, 0]])
        other = np.concatenate([self.key + len(self.nodes), pairs[:, 1]])
        graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(self.size, self.size))
        found: np.ndarray = connected_components(graph.tocsr(), directed=False)[1].astype(np.intp)
        return found

    def too_shared(self, limit: int) -> list[tuple[int, int]]:
        """(key, accounts) of the keys that more than `limit` accounts of one platform have."""
        platforms = int(self.platform.max(initial=0)) + 1
        pair, count = np.unique(self.key * platforms + self.platform[self.node], return_counts=True)
        worst: dict[int, int] = {}
        over = count > limit
        for at, many in zip(pair[over].tolist(), count[over].tolist(), strict=True):
            worst[at // platforms] = max(many, worst.get(at // platforms, 0))
        return sorted(worst.items())

    def too_long(self, component: np.ndarray, limit: int) -> list[tuple[int, int]]:
        """(component, accounts) of those with more than `limit` accounts."""
        which, count = np.unique(component[: len(self.nodes)], return_counts=True)
        over = count > limit
        return list(zip(which[over].tolist(), count[over].tolist(), strict=True))

    def chain(self, component: np.ndarray, which: int, count: int) -> Refused:
        mine = np.unique(self.key[component[self.node] == which])
        return Refused("+".join(sorted(set(self.method[mine].tolist()))), "chain", count)

    def surest(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each account its surest claim among those `chosen`: confidence (0: none) and method."""
        confidence, method = np.zeros(self.accounts), np.full(self.accounts, "", dtype=object)
        at = np.flatnonzero(chosen & (self.node < self.accounts))
        at = at[np.argsort(-self.confidence[at], kind="stable")][
            ::-1
        ]  # of several the last one written stays
        confidence[self.node[at]] = self.confidence[at]
        method[self.node[at]] = self.method[self.key[at]]
        return confidence, method

    def edges(self, chosen: np.ndarray) -> list[Edge]:
        """The claims `chosen`, the surest first, ties by key and account."""
        at = np.flatnonzero(chosen)
        at = at[np.argsort(-self.confidence[at], kind="stable")]
        columns = (self.node[at], self.key[at] + len(self.nodes), self.confidence[at])
        cells = (*(column.tolist() for column in columns), self.method[self.key[at]].tolist())
        return [Edge(*cell) for cell in zip(*cells, strict=True)]


def _key_claims(accounts: pa.Table) -> pa.Table:
    if "keys" not in accounts.column_names or not len(accounts):
        return CLAIMS.empty_table()
    keys = accounts["keys"].combine_chunks()
    flat = pc.list_flatten(keys).cast(pa.string())
    node = accounts.select(["platform", "user"]).take(pc.list_parent_indices(keys))
    kinds = pa.array(list(CONFIDENCE))
    sure = pa.array([*CONFIDENCE.values(), min(CONFIDENCE.values())], pa.float64())
    place = pc.fill_null(pc.index_in(_before(flat, ":"), value_set=kinds), len(CONFIDENCE))
    return pa.table([flat, node["platform"], node["user"], sure.take(place)], names=CLAIMS.names).cast(CLAIMS)


def _joined(rows: pa.Table) -> pa.Array:
    """PLATFORM<separator>USER of each row."""
    both = (rows[name].combine_chunks().cast(pa.string()) for name in ("platform", "user"))
    return pc.binary_join_element_wise(*both, SEPARATOR)


def _before(texts: pa.Array, mark: str) -> pa.Array:
    return pc.list_element(pc.split_pattern(texts, mark, max_splits=1), 0)


def _places(texts: pa.Array, among: pa.Array) -> np.ndarray:
    """intp: where each text stands in `among`, which has them all."""
    found = pc.index_in(texts, value_set=among)
    return found.to_numpy(zero_copy_only=False) if isinstance(found, pa.Array) else found.to_numpy()
