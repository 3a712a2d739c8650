"""From pairs that belong together to clusters and their ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from recall.ids import item_id, person_id
from recall.links.ledger import Kind, Node
from recall.tables import LINKS

LAST = 2**62
"""Stands for `since` of what has no event: it comes after all that have."""


@dataclass(frozen=True, slots=True)
class Edge:
    """`one` and `other` (rows, or rows of keys behind them) belong together."""

    one: int
    other: int
    confidence: float
    method: str


@dataclass(slots=True)
class Clusters:
    """Union-find over `size` rows that never joins two rows that must stay apart."""

    size: int
    apart: Sequence[tuple[int, int]] = ()
    alone: frozenset[int] = frozenset()
    allow: Callable[[list[int], list[int]], bool] | None = None
    """Asked with the members of both sides before they are joined."""
    _parent: list[int] = field(init=False)
    _members: dict[int, list[int]] = field(init=False, default_factory=dict)
    _enemies: dict[int, set[int]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._parent = list(range(self.size))
        for one, other in self.apart:
            self._enemies.setdefault(one, set()).add(other)
            self._enemies.setdefault(other, set()).add(one)

    def find(self, row: int) -> int:
        while self._parent[row] != row:
            self._parent[row] = self._parent[self._parent[row]]
            row = self._parent[row]
        return row

    def members(self, row: int) -> list[int]:
        root = self.find(row)
        return self._members.get(root, [root])

    def join(self, one: int, other: int) -> bool:
        """Whether both are in one cluster now."""
        if one in self.alone or other in self.alone:
            return False
        a, b = self.find(one), self.find(other)
        if a == b:
            return True
        left, right = self.members(a), self.members(b)
        if len(left) < len(right):
            a, b, left, right = b, a, right, left
        foes = {foe for row in right for foe in self._enemies.get(row, ())}
        if foes and not foes.isdisjoint(left):
            return False
        if self.allow is not None and not self.allow(left, right):
            return False
        self._parent[b] = a
        self._members[a] = left + right
        self._members.pop(b, None)
        return True


def links_table(
    kind: Kind, nodes: Sequence[Node], since: Sequence[int | None], clusters: Clusters, edges: Sequence[Edge]
) -> pa.Table:
    """recall.tables.LINKS rows of the first len(nodes) rows, sorted.

    A cluster's id comes from its smallest (since, platform, key); its rows carry the best edge that touches
    them. What stands alone has method 'own' and confidence 1.
    """
    make = person_id if kind == "person" else item_id
    rank = [(LAST if at is None else at, *node) for at, node in zip(since, nodes, strict=True)]
    first: dict[int, int] = {}
    size: dict[int, int] = {}
    roots = [clusters.find(row) for row in range(len(nodes))]
    for row, root in enumerate(roots):
        size[root] = size.get(root, 0) + 1
        if root not in first or rank[row] < rank[first[root]]:
            first[root] = row
    best: dict[int, tuple[float, str]] = {}
    for edge in edges:
        for row in (edge.one, edge.other):
            if row < len(nodes) and edge.confidence > best.get(row, (0.0, ""))[0]:
                best[row] = (edge.confidence, edge.method)
    found = [
        best.get(row, (1.0, "own")) if size[root] > 1 else (1.0, "own") for row, root in enumerate(roots)
    ]
    return pa.table(
        {
            "kind": [kind] * len(nodes),
            "platform": [node[0] for node in nodes],
            "key": [node[1] for node in nodes],
            "target": [make(*nodes[first[root]]) for root in roots],
            "confidence": [confidence for confidence, _ in found],
            "method": [method for _, method in found],
            "since": list(since),
        },
        schema=LINKS,
    ).sort_by([("platform", "ascending"), ("key", "ascending")])
