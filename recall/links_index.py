"""Who an account is and what a listing is, by the links of a build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recall.build_table import read_table
from recall.ids import item_id, person_id


@dataclass(frozen=True, slots=True)
class LinksIndex:
    """(platform, key) → (target id, confidence). An account or listing that came later links to itself."""

    accounts: dict[tuple[str, str], tuple[str, float]]
    listings: dict[tuple[str, str], tuple[str, float]]
    platforms: frozenset[str]

    @classmethod
    def load(cls, build: Path) -> LinksIndex:
        table = read_table(build, "links", ["kind", "platform", "key", "target", "confidence"])
        found: dict[str, dict[tuple[str, str], tuple[str, float]]] = {"person": {}, "item": {}}
        interned: dict[str, str] = {}
        columns = [table[name].to_pylist() for name in table.column_names]
        for kind, platform, key, target, confidence in zip(*columns, strict=True):
            platform = interned.setdefault(platform, platform)
            found[kind][platform, key] = (target, confidence)
        return cls(found["person"], found["item"], frozenset(interned))

    def person(self, platform: str, user: str) -> tuple[str, float]:
        return self.accounts.get((platform, user)) or (person_id(platform, user), 1.0)

    def person_id(self, platform: str, user: str) -> str:
        return self.person(platform, user)[0]

    def item(self, platform: str, listing: str) -> tuple[str, float]:
        return self.listings.get((platform, listing)) or (item_id(platform, listing), 1.0)
