"""The items of a build with their listings, kept as tables and made into Items when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recall.build_table import read_table
from recall.errors import NotFound
from recall.idmap import IdMap
from recall.types import Item, Listing

_KEPT = 200_000
"""Items that stay made; when there are more, all are forgotten and made again as needed."""

_ITEM = ["item", "title", "year", "creators", "categories", "description", "language", "min_age"]
_LISTING = ["item", "platform", "listing", "title", "confidence", "price", "url", "image"]


class Shelf:
    """Items by id. Safe to use from several threads."""

    def __init__(self, build: Path) -> None:
        """Reads the build's items and listings; DataError when they can't be read."""
        self._items = read_table(build, "items", _ITEM)
        self.ids = IdMap.of(self._items["item"].to_pylist())
        listings = read_table(build, "listings", _LISTING)
        owner = pc.fill_null(pc.index_in(listings["item"], value_set=self._items["item"]), len(self._items))
        owners = np.asarray(owner, dtype=np.int64)
        order = np.argsort(owners, kind="stable")
        self._listings = listings.take(pa.array(order)).combine_chunks()
        self._offsets = np.searchsorted(owners[order], np.arange(len(self._items) + 1))
        self._made: dict[str, Item] = {}

    def __contains__(self, id: str) -> bool:
        return self.ids.row(id) >= 0

    def titles(self) -> tuple[pa.Array, pa.Array]:
        """Parallel: item ids and titles, those of the listings included; null where a listing has none."""
        ids = pa.concat_arrays([_whole(self._items["item"]), _whole(self._listings["item"])])
        return ids, pa.concat_arrays([_whole(self._items["title"]), _whole(self._listings["title"])])

    def items(self, ids: Sequence[str]) -> list[Item]:
        """In the order of `ids`; NotFound names the first unknown one."""
        made = self._made
        missing = [id for id in dict.fromkeys(ids) if id not in made]
        if missing:
            fresh = self._make(missing)
            if len(made) + len(fresh) > _KEPT:
                self._made = made = {id: made[id] for id in ids if id in made}
            made.update(fresh)
        return [made[id] for id in ids]

    def _make(self, ids: list[str]) -> dict[str, Item]:
        rows = self.ids.rows(ids)
        if (rows < 0).any():
            raise NotFound(f"no item {ids[int(np.argmax(rows < 0))]!r} in the current build")
        starts, stops = self._offsets[rows], self._offsets[rows + 1]
        of = np.concatenate([np.arange(a, b) for a, b in zip(starts, stops, strict=True)])
        listings = self._listings.take(pa.array(of, pa.int64())).to_pylist()
        made, at = {}, 0
        for row, count in zip(self._items.take(pa.array(rows)).to_pylist(), stops - starts, strict=True):
            mine = listings[at : at + count]
            at += count
            made[row["item"]] = _item(row, mine)
        return made


def _item(row: dict[str, Any], listings: list[dict[str, Any]]) -> Item:
    """Where no platform gives a title, the first listing's own id stands for it."""
    title = row["title"] or (listings[0]["listing"] if listings else row["item"])
    return Item(
        id=row["item"],
        title=title,
        year=row["year"],
        creators=tuple(row["creators"] or ()),
        categories=tuple(row["categories"] or ()),
        listings=tuple(
            Listing(
                platform=each["platform"],
                listing=each["listing"],
                title=each["title"] or title,
                confidence=each["confidence"],
                price=each["price"],
                url=each["url"],
                image=each["image"],
            )
            for each in listings
        ),
        description=row["description"],
        language=row["language"],
        min_age=row["min_age"],
    )


def _whole(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return (pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found).cast(pa.string())
