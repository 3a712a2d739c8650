"""Accounts to persons: link tables and shared keys, with transitive closure."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from recall.links.clusters import Clusters, Edge, links_table
from recall.links.config import LinksConfig
from recall.links.ledger import Ledger, Node


def link_people(accounts: pa.Table, pairs: pa.Table, ledger: Ledger, config: LinksConfig) -> pa.Table:
    """recall.tables.LINKS rows of kind 'person': one for each account, sorted by platform and key.

    `accounts` has platform, user, first_seen and may have keys (lists of
    salted hashes); `pairs` has person, platform, user and may have confidence. Accounts with the same
    person key are one person. A key of more than `accounts_per_key` accounts on one platform links nobody
    (`shared_keys` lists them). What the ledger holds apart stays apart, on whatever way it would be joined.
    """
    nodes: list[Node] = _nodes(accounts)
    rows = {node: row for row, node in enumerate(nodes)}
    claims = _claims(accounts, pairs)
    too_shared = {key for key, _ in _too_shared(claims, config.accounts_per_key)}
    bridges: dict[object, int] = {}  # keys, and accounts without events, behind the accounts' rows
    size = len(nodes)
    edges: list[Edge] = []
    for one, other in sorted(ledger.together("person")):
        if one in rows and other in rows:
            edges.append(Edge(rows[one], rows[other], 1.0, "manual"))
    for (kind, key), node, confidence in claims:
        if (kind, key) in too_shared:
            continue
        left = rows.get(node)
        if left is None:
            left = bridges.setdefault(("account", node), size + len(bridges))
        right = bridges.setdefault((kind, key), size + len(bridges))
        edges.append(Edge(left, right, confidence, kind))
    apart = [(rows[a], rows[b]) for a, b in ledger.apart("person") if a in rows and b in rows]
    alone = frozenset(rows[node] for node in ledger.alone("person") if node in rows)
    clusters = Clusters(size + len(bridges), apart, alone)
    taken = [
        edge for edge in sorted(edges, key=_strongest_first(nodes)) if clusters.join(edge.one, edge.other)
    ]
    return links_table("person", nodes, accounts["first_seen"].to_pylist(), clusters, taken)


def shared_keys(accounts: pa.Table, pairs: pa.Table, config: LinksConfig) -> list[tuple[str, int]]:
    """(kind of key, accounts on one platform) of the keys that link nobody; the keys stay out of it."""
    return [
        (kind, count) for (kind, _), count in _too_shared(_claims(accounts, pairs), config.accounts_per_key)
    ]


def _nodes(accounts: pa.Table) -> list[Node]:
    return list(zip(accounts["platform"].to_pylist(), accounts["user"].to_pylist(), strict=True))


def _claims(accounts: pa.Table, pairs: pa.Table) -> list[tuple[tuple[str, str], Node, float]]:
    """((kind, key), account, confidence), each once and in an order that the input's has no part in."""
    found: dict[tuple[tuple[str, str], Node], float] = {}
    if len(pairs):
        columns = [pairs[name].to_pylist() for name in ("person", "platform", "user")]
        given = pairs["confidence"].to_pylist() if "confidence" in pairs.column_names else [1.0] * len(pairs)
        for person, platform, user, confidence in zip(*columns, given, strict=True):
            claim = (("table", person), (platform, user))
            found[claim] = max(found.get(claim, 0.0), confidence)
    if "keys" in accounts.column_names:
        for node, keys in zip(_nodes(accounts), accounts["keys"].to_pylist(), strict=True):
            for key in keys or ():
                found[("key", key), node] = 0.98
    return [(key, node, found[key, node]) for key, node in sorted(found)]


def _too_shared(
    claims: list[tuple[tuple[str, str], Node, float]], limit: int
) -> list[tuple[tuple[str, str], int]]:
    counts = Counter((key, node[0]) for key, node, _ in claims)
    worst: dict[tuple[str, str], int] = {}
    for (key, _), count in counts.items():
        if count > limit:
            worst[key] = max(count, worst.get(key, 0))
    return sorted(worst.items())


def _strongest_first(nodes: list[Node]):  # type: ignore[no-untyped-def]
    def order(edge: Edge) -> tuple[bool, float, tuple[str, ...]]:
        named = tuple(part for row in (edge.one, edge.other) if row < len(nodes) for part in nodes[row])
        return (edge.method != "manual", -edge.confidence, named)

    return order
