"""What was decided about links, and which ids became which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from recall.ids import item_id, person_id

Kind = Literal["person", "item"]
Action = Literal["add", "remove"]
Node = tuple[str, str]
"""(platform, platform user or listing)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Two accounts or listings belong together ('add') or not ('remove').

    `other` None: with any other, so a removed one stands alone. Later decisions win over earlier ones.
    """

    kind: Kind
    action: Action
    node: Node
    other: Node | None
    by: str = "cli"
    at: int = 0


@dataclass(frozen=True, slots=True)
class Ledger:
    """All decisions in order, and aliases old id → id in use. Empty unless loaded (recall/store/links.py)."""

    decisions: tuple[Decision, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)

    def together(self, kind: Kind) -> set[tuple[Node, Node]]:
        """Pairs (smaller first) that were added and not removed since."""
        return {pair for pair, action in self._pairs(kind).items() if action == "add"}

    def apart(self, kind: Kind) -> set[tuple[Node, Node]]:
        """Pairs (smaller first) that were removed and not added since."""
        return {pair for pair, action in self._pairs(kind).items() if action == "remove"}

    def alone(self, kind: Kind) -> set[Node]:
        """Those removed from everything; a later 'add' with one of them lifts it."""
        found: set[Node] = set()
        for one in self._of(kind):
            if one.other is None:
                found = found | {one.node} if one.action == "remove" else found - {one.node}
            elif one.action == "add":
                found -= {one.node, one.other}
        return found

    def resolve(self, id: str) -> str:
        """The id that stands for `id` today; itself when it never changed."""
        seen = {id}
        while (new := self.aliases.get(id)) is not None and new not in seen:
            seen.add(new)
            id = new
        return id

    def follow(self, before: pa.Table | None, after: pa.Table) -> dict[str, str]:
        """Aliases once `after` (recall.tables.LINKS) takes the place of `before`.

        An id that is gone points at the id of the account or listing that it was derived from; ids in use
        again after a split lose their alias.
        """
        current = dict(self.aliases)
        used = set(after["target"].to_pylist())
        if before is not None:
            gone = set(before["target"].to_pylist()) - used
            columns = [after[name].to_pylist() for name in ("kind", "platform", "key", "target")]
            for kind, platform, key, target in zip(*columns, strict=True):
                own = person_id(platform, key) if kind == "person" else item_id(platform, key)
                if own in gone:
                    current[own] = target
        return {old: new for old, new in current.items() if old not in used}

    def _pairs(self, kind: Kind) -> dict[tuple[Node, Node], str]:
        found: dict[tuple[Node, Node], str] = {}
        for one in self._of(kind):
            if one.other is not None:
                found[ordered(one.node, one.other)] = one.action
        return found

    def _of(self, kind: Kind) -> Iterable[Decision]:
        return (one for one in self.decisions if one.kind == kind)


def ordered(one: Node, other: Node) -> tuple[Node, Node]:
    """A pair in the ledger's form: smaller first."""
    return (one, other) if one <= other else (other, one)
