"""Doubtful pairs of a build, side by side, most influential first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recall.links.config import LinksConfig
from recall.links.items import Doubt, Judge, match_items
from recall.links.ledger import Ledger, Node


@dataclass(frozen=True, slots=True)
class Pair:
    """A doubt with both records (columns of recall.tables.LISTINGS) and how many events hang on it."""

    doubt: Doubt
    one: dict[str, Any]
    other: dict[str, Any]
    events: int


def doubtful(build: Path, ledger: Ledger, config: LinksConfig, judge: Judge | None = None) -> list[Pair]:
    """Pairs that matching leaves open in this build, those with the most events first. May be empty."""
    names = ["platform", "listing", "title", "year", "creators", "categories", "external_ids"]
    listings = pq.read_table(build / "listings.parquet", columns=names)
    texts = [listings[name].cast(pa.string()) for name in names[:3]]
    for place, name in enumerate(names[:3]):
        listings = listings.set_column(place, name, texts[place])
    listings = listings.append_column("first_seen", pa.nulls(len(listings), pa.int64()))
    doubts = match_items(listings, ledger, config, judge).doubts
    if not doubts:
        return []
    seen = pq.read_table(build / "events.parquet", columns=["platform", "listing"])
    grouped = seen.group_by(["platform", "listing"]).aggregate([([], "count_all")]).to_pylist()
    counts: Counter[Node] = Counter({(row["platform"], row["listing"]): row["count_all"] for row in grouped})
    records = {(row["platform"], row["listing"]): row for row in listings.to_pylist()}
    pairs = [
        Pair(doubt, records[doubt.one], records[doubt.other], counts[doubt.one] + counts[doubt.other])
        for doubt in doubts
    ]
    return sorted(pairs, key=lambda pair: (-pair.events, pair.doubt.one, pair.doubt.other))
