"""An event that came in by itself counts for what the same row of a file counts for."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recall.cleaning import clean_events
from recall.config import EventSource, PlatformConfig
from recall.merge_events import event_id
from recall.store.events import LiveEvent
from recall.weigh import Refused, weigh

COLUMNS = {"user": "user", "item": "item", "time": "time"}
VALUED = {**COLUMNS, "value": "value"}
SOURCES: dict[str, dict[str, Any]] = {
    "plain": {"columns": COLUMNS, "type": "seen", "weight": 0.7},
    "rating": {"columns": VALUED, "type": "rating", "rating": {"like": 4, "dislike": 2}},
    "watched": {"columns": VALUED, "type": "view", "watched": {}, "weight": 1.3},
    "quantity": {"columns": VALUED, "type": "buy", "quantity": {"cap": 3}, "weight": 0.37},
    "typed": {
        "columns": {**COLUMNS, "type": "type"},
        "types": {"buy": {"weight": 1.5}, "return": {"polarity": "dislike"}, "look": {"polarity": "neutral"}},
    },
    "typed rating": {
        "columns": {**VALUED, "type": "type"},
        "rating": {},
        "types": {"rate": {"weight": 2}, "look": {"polarity": "neutral", "weight": 0.5}},
    },
    "open": {"columns": {**VALUED, "type": "type"}},
}
WORDS = {
    "user": ["a", " b ", "", "c\x07", "d" * 257, "é"],
    "item": ["x", "\ty", " ", "z"],
    "type": ["buy", "return", "look", "rate", "odd"],
    "time": [0, 1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000, 99_999_999_999],
    "value": [None, 0.0, 0.2, 0.7, 1.0, 2.0, 2.5, 3.7, 4.0, 5.0, 5.1, -1.0, 1e12, -1e13, 0.333333],
}


@pytest.mark.parametrize("name", SOURCES)
def test_files_and_live_events_are_judged_alike(name: str, tmp_path: Path) -> None:
    draw = random.Random(5)
    usual = {"user": "a", "item": "x", "time": 1_700_000_000}
    rows: list[dict[str, Any]] = [
        {key: draw.choice(words) for key, words in WORDS.items()} | (usual if n % 2 else {})
        for n in range(400)
    ]
    platform = PlatformConfig.model_validate({"events": [{"path": "x", **SOURCES[name]}]})
    source = platform.events[0]
    valued, typed = source.columns.value is not None, source.columns.type is not None
    kinds = (pa.string(), pa.string(), pa.string(), pa.int64(), pa.float64())
    schema = list(zip(WORDS, kinds, strict=True))
    backend = ibis.duckdb.connect()
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(schema)), tmp_path / "raw.parquet")
    raw = backend.read_parquet(str(tmp_path / "raw.parquet"))
    rows_cleaned = clean_events(raw, source, "shop", "x")
    cleaned = rows_cleaned.mutate(event=event_id(rows_cleaned)).to_pyarrow().to_pylist()
    backend.disconnect()
    codes: set[tuple[str, str]] = set()
    for row, expected in zip(rows, cleaned, strict=True):
        found = weigh(
            "shop",
            platform,
            user=row["user"],
            listing=row["item"],
            type=row["type"] if typed else source.type,
            time=row["time"],
            value=row["value"] if valued else None,
            latest=10**11,
        )
        if isinstance(found, Refused):
            assert expected["reason"] is not None, (row, found)
            codes.add((found.code, expected["reason"]))
            continue
        assert expected["reason"] is None, (row, expected)
        assert found.id == expected["event"]
        assert (found.user, found.listing, found.type) == (
            expected["user"],
            expected["listing"],
            expected["type"],
        )
        assert (found.weight, found.polarity) == (expected["weight"], expected["polarity"])
    # A row with two faults may be refused for either; each code is also given for the same fault.
    assert {ours for ours, _ in codes} == {ours for ours, theirs in codes if ours == theirs}


def test_a_type_that_the_platform_does_not_name_is_refused_with_those_it_has() -> None:
    shop = PlatformConfig.model_validate({"events": [{"path": "x", **SOURCES["typed"]}]})
    found = weigh("shop", shop, user="a", listing="x", type="steal", time=1, value=None, latest=9)
    assert (
        isinstance(found, Refused) and found.code == "unknown_type" and "buy, look, return" in found.message
    )


def test_an_event_after_the_clock_is_refused_and_one_without_a_type_has_the_first_source_s() -> None:
    cinema = PlatformConfig.model_validate({"events": [{"path": "x", **SOURCES["plain"]}]})
    late = weigh("cinema", cinema, user="a", listing="x", type=None, time=10, value=None, latest=9)
    assert isinstance(late, Refused) and late.code == "time_in_future"
    found = weigh("cinema", cinema, user="a", listing="x", type=None, time=9, value=None, latest=9)
    assert isinstance(found, LiveEvent) and (found.type, found.weight) == ("seen", 700_000)
    shop = PlatformConfig.model_validate({"events": [{"path": "x", **SOURCES["typed"]}]})
    bought = weigh("shop", shop, user="a", listing="x", type=None, time=9, value=None, latest=9)
    assert isinstance(bought, LiveEvent) and bought.type == "buy"


def test_a_value_where_the_platform_has_none_is_refused() -> None:
    cinema = PlatformConfig.model_validate({"events": [{"path": "x", **SOURCES["plain"]}]})
    found = weigh("cinema", cinema, user="a", listing="x", type="seen", time=1, value=3.0, latest=9)
    assert isinstance(found, Refused) and found.code == "bad_value"


def test_sources_are_found_by_type() -> None:
    both = PlatformConfig.model_validate(
        {"events": [{"path": "x", **SOURCES[n]} for n in ("rating", "typed")]}
    )
    assert isinstance(both.events[1], EventSource)
    rated = weigh("p", both, user="a", listing="x", type="rating", time=1, value=5, latest=9)
    bought = weigh("p", both, user="a", listing="x", type="buy", time=1, value=None, latest=9)
    assert isinstance(rated, LiveEvent) and isinstance(bought, LiveEvent) and bought.weight == 1_500_000
