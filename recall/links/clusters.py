"""From pairs that belong together to clusters and their ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recall.ids import item_id, person_id
from recall.links.ledger import Kind
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
            self.part(one, other)

    def part(self, one: int, other: int) -> None:
        """Never join these two from now on."""
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


def labels(clusters: Clusters, count: int) -> np.ndarray:
    """intp[count]: one number for each cluster."""
    return np.fromiter((clusters.find(row) for row in range(count)), np.intp, count)


def best_edges(count: int, edges: Sequence[Edge]) -> tuple[np.ndarray, list[str]]:
    """For each of `count` rows the surest edge that touches it: confidence (0: none) and method."""
    confidence, method = np.zeros(count), [""] * count
    for edge in edges:
        for row in (edge.one, edge.other):
            if row < count and edge.confidence > confidence[row]:
                confidence[row], method[row] = edge.confidence, edge.method
    return confidence, method


def links_table(
    kind: Kind,
    nodes: pa.Table,
    labels: np.ndarray,
    confidence: np.ndarray,
    method: Sequence[str] | np.ndarray,
) -> pa.Table:
    """recall.tables.LINKS rows, sorted. `nodes` has platform, key and since (null where there is no event).

    Rows with equal labels are one cluster. Its id comes from its smallest (since, platform, key); what
    stands alone has method 'own' and confidence 1.
    """
    make = person_id if kind == "person" else item_id
    count = len(nodes)
    since = pc.fill_null(nodes["since"].cast(pa.int64()), LAST)
    ordered = pa.table({"since": since, "platform": nodes["platform"], "key": nodes["key"]})
    order = pc.sort_indices(
        ordered, [("since", "ascending"), ("platform", "ascending"), ("key", "ascending")]
    ).to_numpy()
    _, first, cluster, size = np.unique(
        labels[order], return_index=True, return_inverse=True, return_counts=True
    )
    named = nodes.select(["platform", "key"]).take(pa.array(order[first]))
    ids = list(map(make, named["platform"].to_pylist(), named["key"].to_pylist()))
    place = np.empty(count, np.intp)
    place[order] = cluster
    alone = (size[place] == 1) | (confidence <= 0) if count else np.zeros(0, bool)
    return pa.table(
        {
            "kind": pa.array([kind] * count, pa.string()),
            "platform": nodes["platform"],
            "key": nodes["key"],
            "target": pa.array(ids, pa.string()).take(pa.array(place)),
            "confidence": pa.array(np.where(alone, 1.0, confidence), pa.float32()),
            "method": pc.if_else(pa.array(alone), "own", pa.array(method, pa.string())),
            "since": nodes["since"],
        },
        schema=LINKS,
    ).sort_by([("platform", "ascending"), ("key", "ascending")])
