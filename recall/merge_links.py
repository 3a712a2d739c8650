"""Every account to a person and every listing to an item."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from recall.ids import item_id, person_id
from recall.tables import LINKS


def link(accounts: pa.Table, listings: pa.Table, ledger: Any) -> pa.Table:
    """recall.tables.LINKS rows, sorted: one for each account (platform, user) and each listing."""
    return pa.concat_tables([_own(accounts, "person", "user"), _own(listings, "item", "listing")]).sort_by(
        [("kind", "ascending"), ("platform", "ascending"), ("key", "ascending")]
    )


def _own(rows: pa.Table, kind: str, column: str) -> pa.Table:
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
