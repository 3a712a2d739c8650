"""The Parquet tables of one data build: their names, columns and order. Written by merge, read by all.

A build is a generation (recall/generations.py) under <workspace>/builds. Text columns may be dictionary
encoded on disk; readers cast.
"""

from __future__ import annotations

import pyarrow as pa

_text = pa.string()
_texts = pa.list_(pa.string())

EVENTS = pa.schema(
    [
        ("event", _text),  # recall.ids.event_id
        ("person", _text),
        ("item", _text),
        ("platform", _text),
        ("user", _text),  # the platform's own user id; never leaves the service
        ("listing", _text),  # the platform's own item id
        ("type", _text),
        ("value", pa.float64()),  # null when the platform gives none
        ("weight", pa.int64()),  # micro-units before decay; 0 for a dislike
        ("polarity", pa.int8()),  # recall.types.LIKE, NEUTRAL, DISLIKE
        ("time", pa.int64()),  # UTC seconds
        ("confidence", pa.float32()),  # person link × item link
    ]
)
"""Sorted by person, time, event. One row per kept event."""

INTERACTIONS = pa.schema(
    [
        ("person", _text),
        ("group", pa.int32()),  # maximal set of the person's platforms that consent to each other; 0 first
        ("item", _text),
        ("weight", pa.int64()),  # micro-units: sum of type weight × time decay at the reference time, capped
        ("events", pa.int32()),
        ("last", pa.int64()),  # UTC seconds of the latest event
    ]
)
"""Sorted by person, group, item. Likes only: what ALS trains on."""

ITEMS = pa.schema(
    [
        ("item", _text),
        ("title", _text),
        ("year", pa.int32()),
        ("creators", _texts),
        ("categories", _texts),
        ("description", _text),
        ("language", _text),
        ("min_age", pa.int32()),
        ("external_ids", pa.map_(_text, _text)),
    ]
)
"""Sorted by item. One row per item; attributes from its first listing that has them."""

LISTINGS = pa.schema(
    [
        ("platform", _text),
        ("listing", _text),
        ("item", _text),
        ("title", _text),
        ("year", pa.int32()),
        ("creators", _texts),
        ("categories", _texts),
        ("description", _text),
        ("language", _text),
        ("min_age", pa.int32()),
        ("price", pa.float64()),
        ("url", _text),
        ("image", _text),
        ("available_from", pa.int64()),  # UTC seconds; null: always
        ("available_to", pa.int64()),
        ("external_ids", pa.map_(_text, _text)),
        ("confidence", pa.float32()),  # of the link listing → item
    ]
)
"""Sorted by platform, listing. Items that have events but no row in an item source have a null title."""

PEOPLE = pa.schema(
    [
        ("person", _text),
        ("platforms", _texts),
        ("events", pa.int32()),
        ("first", pa.int64()),
        ("last", pa.int64()),
    ]
)
"""Sorted by person."""

LINKS = pa.schema(
    [
        ("kind", _text),  # 'person' or 'item'
        ("platform", _text),
        ("key", _text),  # platform user or listing
        ("target", _text),  # person or item id
        ("confidence", pa.float32()),  # (0, 1]
        ("method", _text),
        ("since", pa.int64()),
    ]
)
"""Sorted by kind, platform, key. Every account and every listing has exactly one row, itself included."""

REJECTS = pa.schema(
    [
        ("platform", _text),
        ("source", _text),  # 'events', 'items', 'links'
        ("file", _text),
        ("row", pa.int64()),  # line of the file, or row number where there are no lines
        ("verdict", _text),  # 'rejected', 'duplicate' or 'set aside'
        ("reason", _text),  # code from recall/cleaning
        ("detail", _text),
        ("raw", _text),  # key columns redacted
    ]
)

SCHEMAS = {
    "events": EVENTS,
    "interactions": INTERACTIONS,
    "items": ITEMS,
    "listings": LISTINGS,
    "people": PEOPLE,
    "links": LINKS,
    "rejects": REJECTS,
}
