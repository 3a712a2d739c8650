"""Every account to a person and every listing to an item."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from recall.ids import item_id, person_id
from recall.tables import LINKS


def own_links(rows: pa.Table, kind: str, column: str) -> pa.Table:
    """recall.tables.LINKS rows in which every account is a person, or every listing an item, of its own.

    `rows` has platform, `column` (user or listing) and first_seen (null without events).
    """
    make = person_id if kind == "person" else item_id
    platforms, keys = rows["platform"].to_pylist(), rows[column].to_pylist()
    count = len(keys)
    return pa.table(
        {
            "kind": [kind] * count,
            "platform": platforms,
            "key": keys,
            "target": [make(platform, key) for platform, key in zip(platforms, keys, strict=True)],
            "confidence": [1.0] * count,
            "method": ["own"] * count,
            "since": [since or 0 for since in rows["first_seen"].to_pylist()],
        },
        schema=LINKS,
    )


def sorted_links(*parts: Any) -> pa.Table:
    """The parts as one table in the order of recall.tables.LINKS."""
    order = [("kind", "ascending"), ("platform", "ascending"), ("key", "ascending")]
    return pa.concat_tables(parts).sort_by(order)
