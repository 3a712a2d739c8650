"""The store as a source: events and items that came in over HTTP, read like a platform's files.

An event has the same id whichever way it comes, so one that is in a later export too counts once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recall.config import EventSource, ItemColumns, ItemSource, PlatformConfig
from recall.sources.files import SourceFile
from recall.store.engine import Store
from recall.store.events import LiveEvent, read_arrivals
from recall.store.items import LiveItem, load_items
from recall.weigh import FEEDBACK, feedback_source, source_of

NAME = "live events"
ITEMS_NAME = "live items"

_AFTER = 1_000
"""Sections of live events come after the files', so that of two copies the file's is the one kept."""
_FEEDBACK = 500
"""Sections of feedback are numbered from here, in the order of _SAID."""
_SAID = tuple(FEEDBACK.values())
_BEFORE = -1
"""A live item replaces the row of the file."""
_EVENTS = pa.schema(
    [
        ("user", pa.string()),
        ("item", pa.string()),
        ("type", pa.string()),
        ("value", pa.float64()),
        ("time", pa.int64()),
    ]
)
_FACTS = pa.schema(
    [
        ("item", pa.string()),
        ("title", pa.string()),
        ("year", pa.int64()),
        ("creators", pa.list_(pa.string())),
        ("categories", pa.list_(pa.string())),
        ("description", pa.string()),
        ("language", pa.string()),
        ("min_age", pa.int64()),
        ("price", pa.float64()),
        ("url", pa.string()),
        ("image", pa.string()),
        ("available_from", pa.int64()),
        ("available_to", pa.int64()),
    ]
)


class LiveSource:
    """What a store holds, as files for recall.merge.ingest. Call from threads that run no event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def files(self, folder: Path, platforms: Mapping[str, PlatformConfig]) -> list[SourceFile]:
        """Write what the store holds of these platforms into `folder`, a Parquet file for each source.

        Weights and thresholds are those of the platform's section that has events of the type; a type that no
        section has any more is rejected like a file's. StoreError when the store can't be read.
        """
        made = []
        for (platform, section), events in self._events(platforms).items():
            source = _section(platforms[platform], section)
            file = SourceFile(platform, "events", _AFTER + section, source, NAME, None)
            made.append(_written(file, folder, _event_table(events)))
        items: dict[str, list[LiveItem]] = defaultdict(list)
        for item in self._store.run(load_items(self._store)):
            if item.platform in platforms:
                items[item.platform].append(item)
        for platform, rows in sorted(items.items()):
            table, source_items = _item_table(rows)
            file = SourceFile(platform, "items", _BEFORE, source_items, ITEMS_NAME, None)
            made.append(_written(file, folder, table))
        return made

    def _events(self, platforms: Mapping[str, PlatformConfig]) -> dict[tuple[str, int], list[LiveEvent]]:
        """By platform and the section that has their type, in order of arrival."""
        found: dict[tuple[str, int], list[LiveEvent]] = defaultdict(list)
        mark, sections = 0, {}
        while True:
            arrived, after = self._store.run(read_arrivals(self._store, mark))
            if after == mark:
                return dict(sorted(found.items()))
            mark = after
            for one in arrived:
                platform = platforms.get(one.platform)
                if platform is None or not platform.events:
                    continue
                key = (one.platform, one.type)
                if key not in sections:
                    sections[key] = _section_of(platform, one.type)
                found[one.platform, sections[key]].append(one)


def _section_of(platform: PlatformConfig, type: str) -> int:
    """Number of the platform's section that has this type, or of what people said of recommendations."""
    if type in _SAID:
        return _FEEDBACK + _SAID.index(type)
    source = source_of(platform, type)
    return platform.events.index(source) if source else 0


def _section(platform: PlatformConfig, number: int) -> EventSource:
    if number < _FEEDBACK:
        return _source(platform.events[number])
    said = feedback_source(platform, _SAID[number - _FEEDBACK])
    assert said is not None
    return said


def _written(file: SourceFile, folder: Path, table: pa.Table) -> SourceFile:
    path = folder / f"{file.key}.parquet"
    pq.write_table(table, path)
    return SourceFile(file.platform, file.kind, file.section, file.source, file.name, path)


def _source(section: EventSource) -> EventSource:
    """Of live events that this section of the platform's files has the rules for."""
    columns = {name: name for name in _EVENTS.names}
    kept = {"type", "weight", "types", "rating", "watched", "quantity"}
    values: dict[str, Any] = section.model_dump(include=kept, exclude_none=True)
    if not values["types"] and section.columns.type is None:
        values["types"] = {section.type: {"weight": section.weight}}
    return EventSource.model_validate(
        {"path": NAME, "format": "parquet", "columns": columns, "time": "seconds"} | values
    )


def _event_table(events: Sequence[LiveEvent]) -> pa.Table:
    rows = [(one.user, one.listing, one.type, one.value, one.time) for one in events]
    return pa.table(list(map(list, zip(*rows, strict=True))), schema=_EVENTS)


def _item_table(items: Sequence[LiveItem]) -> tuple[pa.Table, ItemSource]:
    kinds = sorted({kind for one in items for kind in one.external_ids})
    rows = [asdict(one) | {"item": one.listing} for one in items]
    table = pa.Table.from_pylist([{name: row[name] for name in _FACTS.names} for row in rows], schema=_FACTS)
    for kind in kinds:
        ids = pa.array([one.external_ids.get(kind) for one in items], pa.string())
        table = table.append_column(f"id_{kind}", ids)
    columns = ItemColumns(
        **{name: name for name in _FACTS.names}, external_ids={kind: f"id_{kind}" for kind in kinds}
    )
    return table, ItemSource(path=ITEMS_NAME, format="parquet", columns=columns, time="seconds")
