"""The step between cleaned sources and links: persons by tables and keys, items by ids and titles."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from recall.links.config import LinksConfig
from recall.links.items import Doubt, Judge, match_items
from recall.links.ledger import Decision, Ledger
from recall.links.people import Refused, link_people
from recall.links.tables import read_link_tables


@dataclass(slots=True)
class Linker:
    """What recall.merge.ingest calls with (accounts, listings); afterwards it holds what was left open."""

    claims: pa.Table
    """recall.links.people.CLAIMS of the link tables."""
    config: LinksConfig
    ledger: Ledger
    judge: Judge | None = None
    refused: tuple[Refused, ...] = ()
    """Keys that linked nobody."""
    doubts: tuple[Doubt, ...] = ()
    """Pairs of listings that nobody decided."""
    judged: tuple[Decision, ...] = field(default=())
    """What the judge said, for the ledger."""

    def __call__(self, accounts: pa.Table, listings: pa.Table) -> pa.Table:
        """recall.tables.LINKS rows, one for each account and each listing, sorted."""
        people = link_people(accounts, self.claims, self.ledger, self.config)
        items = match_items(listings, self.ledger, self.config, self.judge)
        self.refused, self.doubts, self.judged = people.refused, items.doubts, items.judged
        order = [("kind", "ascending"), ("platform", "ascending"), ("key", "ascending")]
        return pa.concat_tables([people.links, items.links]).sort_by(order)


def make_linker(
    root: Path, config: LinksConfig, ledger: Ledger, *, salt: bytes = b"", judge: Judge | None = None
) -> Linker:
    """The link tables are read at once: DataError names file and remedy."""
    return Linker(read_link_tables(root, config, salt), config, ledger, judge)
