"""Small worlds for tests: a data build written from a few lines, with the tables and ids of the real thing.

    build = write_build(
        tmp_path,
        events=["ann cinema matrix 10", "ann stream alien 20 dislike", "bob shop matrix 30 like 0.5"],
        items=["matrix cinema,stream 1999 Action,Sci-Fi"],
    )
    person("ann"), item("matrix")          # the ids that the build holds

An event's line is: person platform item time [like|neutral|dislike [weight [confidence]]]. An item's line is:
item platforms [year [categories]]; items that only events name are listed where they occur. `groups` gives a
person's consent groups; without it every person is one group. The build is made current in the workspace
`folder`, which is what recall.workspace.Workspace(folder) opens.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recall.ids import MICRO, event_id, item_id, person_id
from recall.tables import SCHEMAS
from recall.types import DISLIKE, LIKE, NEUTRAL
from recall.workspace import Workspace

POLARITY = {"like": LIKE, "neutral": NEUTRAL, "dislike": DISLIKE}


def person(name: str) -> str:
    """The person id that a world gives to this name."""
    return person_id("world", name)


def item(name: str) -> str:
    """The item id that a world gives to this name."""
    return item_id("world", name)


def write_build(
    folder: Path,
    *,
    events: Iterable[str] = (),
    items: Iterable[str] = (),
    groups: Mapping[str, Sequence[Iterable[str]]] | None = None,
) -> Path:
    """Write a build of these events and items, make it current and return its folder."""
    event_rows = [_event(line) for line in events]
    item_rows, listing_rows = _catalogue(items, event_rows)
    rows = {
        "events": sorted(event_rows, key=lambda r: (r["person"], r["time"], r["event"])),
        "interactions": _interactions(event_rows, groups or {}),
        "items": item_rows,
        "listings": listing_rows,
        "people": _people(event_rows),
        "links": _links(event_rows, listing_rows),
        "rejects": [],
    }
    builds = Workspace(folder).builds
    with builds.new("world") as part:
        for name, table in rows.items():
            columns = SCHEMAS[name].names
            whole = [{column: row.get(column) for column in columns} for row in table]
            pq.write_table(pa.Table.from_pylist(whole, schema=SCHEMAS[name]), part / f"{name}.parquet")
        latest = max((row["time"] for row in event_rows), default=0)
        manifest = {"build": part.stem, "reference_time": latest, "config_hash": "world", "versions": {}}
        (part / "manifest.json").write_text(json.dumps(manifest))
        (part / "report.json").write_text("{}")
    return builds.use(part.stem)


def _event(line: str) -> dict[str, Any]:
    name, platform, thing, time, *rest = line.split()
    polarity = POLARITY[rest[0]] if rest else LIKE
    weight = float(rest[1]) if len(rest) > 1 else {LIKE: 1.0, NEUTRAL: 0.2, DISLIKE: 0.0}[polarity]
    return {
        "event": event_id(platform, name, thing, "seen", weight, int(time)),
        "person": person(name),
        "item": item(thing),
        "platform": platform,
        "user": name,
        "listing": thing,
        "type": "seen",
        "value": weight,
        "weight": round(weight * MICRO),
        "polarity": polarity,
        "time": int(time),
        "confidence": float(rest[2]) if len(rest) > 2 else 1.0,
    }


def _catalogue(
    lines: Iterable[str], events: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    listed: dict[str, set[str]] = defaultdict(set)
    facts: dict[str, dict[str, Any]] = {}
    for line in lines:
        name, platforms, *rest = line.split()
        listed[name] |= set(platforms.split(","))
        facts[name] = {"year": int(rest[0]) if rest else None}
        facts[name]["categories"] = rest[1].split(",") if len(rest) > 1 else []
    for event in events:
        listed[event["listing"]].add(event["platform"])
    items, listings = [], []
    for name, platforms in listed.items():
        title = name.replace("_", " ").title()
        row = {"item": item(name), "title": title, "creators": [], "categories": [], "external_ids": []}
        row |= facts.get(name, {})
        items.append(row)
        for platform in platforms:
            listings.append(row | {"platform": platform, "listing": name, "confidence": 1.0})
    return (
        sorted(items, key=lambda r: r["item"]),
        sorted(listings, key=lambda r: (r["platform"], r["listing"])),
    )


def _interactions(
    events: list[dict[str, Any]], groups: Mapping[str, Sequence[Iterable[str]]]
) -> list[dict[str, Any]]:
    found: dict[tuple[str, int, str], list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event["polarity"] == DISLIKE or event["weight"] <= 0:
            continue
        mine = groups.get(event["user"])
        numbers = [0] if mine is None else [g for g, p in enumerate(mine) if event["platform"] in set(p)]
        for number in numbers:
            found[event["person"], number, event["item"]].append(event)
    return [
        {
            "person": who,
            "group": number,
            "item": what,
            "weight": sum(event["weight"] for event in rows),
            "events": len(rows),
            "last": max(event["time"] for event in rows),
        }
        for (who, number, what), rows in sorted(found.items())
    ]


def _people(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    mine: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        mine[event["person"]].append(event)
    return [
        {
            "person": who,
            "platforms": sorted({row["platform"] for row in rows}),
            "events": len(rows),
            "first": min(row["time"] for row in rows),
            "last": max(row["time"] for row in rows),
        }
        for who, rows in sorted(mine.items())
    ]


def _links(events: list[dict[str, Any]], listings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    accounts = {(row["platform"], row["user"]): row["person"] for row in events}
    rows = [
        {"kind": "person", "platform": platform, "key": user, "target": who}
        for (platform, user), who in accounts.items()
    ]
    rows += [
        {"kind": "item", "platform": row["platform"], "key": row["listing"], "target": row["item"]}
        for row in listings
    ]
    rest = {"confidence": 1.0, "method": "world", "since": 0}
    return sorted((row | rest for row in rows), key=lambda r: (r["kind"], r["platform"], r["key"]))
