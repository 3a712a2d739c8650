"""Other item links than a build's own: listings given to other items, for studies of what links are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from recall.tables import SCHEMAS


@dataclass(frozen=True, slots=True)
class Relabelled:
    """The events and the tables items, listings and links with other items."""

    events: pa.Table
    tables: dict[str, pa.Table]


def relabelled(
    events: pa.Table, tables: Mapping[str, pa.Table], items: Mapping[tuple[str, str], str]
) -> Relabelled:
    """`items` gives (platform, listing) another item; the rest stay. An item's facts are its first listing's.

    Items without a listing and without an event go.
    """
    listings = _with_items(tables["listings"], "listing", items, "item")
    events = _with_items(events, "listing", items, "item")
    links = tables["links"]
    kinds, platforms, keys = (links[name].to_pylist() for name in ("kind", "platform", "key"))
    targets = [
        items.get((platform, key), target) if kind == "item" else target
        for kind, platform, key, target in zip(
            kinds, platforms, keys, links["target"].to_pylist(), strict=True
        )
    ]
    links = links.set_column(links.schema.get_field_index("target"), "target", pa.array(targets, pa.string()))
    facts: dict[str, dict[str, object]] = {}
    wanted = SCHEMAS["items"].names
    for row in listings.to_pylist():
        known = facts.get(row["item"])
        if known is None or (known["title"] is None and row["title"] is not None):
            facts[row["item"]] = {name: row.get(name) for name in wanted}
    for item in set(events["item"].to_pylist()) - facts.keys():
        facts[item] = dict.fromkeys(wanted) | {"item": item}
    rows = [facts[item] for item in sorted(facts)]
    table = pa.Table.from_pylist(rows, schema=SCHEMAS["items"])
    return Relabelled(events, {**tables, "listings": listings, "links": links, "items": table})


def _with_items(table: pa.Table, key: str, items: Mapping[tuple[str, str], str], column: str) -> pa.Table:
    columns = (table[name].to_pylist() for name in ("platform", key, column))
    new = [items.get((platform, listing), old) for platform, listing, old in zip(*columns, strict=True)]
    return table.set_column(table.schema.get_field_index(column), column, pa.array(new, pa.string()))
