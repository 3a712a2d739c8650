"""Merging: from files on several platforms to one build, whatever their order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recall.config import MergeConfig, PlatformConfig
from recall.errors import TooManyRejects
from recall.ids import event_id, item_id, person_id
from recall.merge import Inputs, ingest
from recall.merge_links import own_links, sorted_links
from recall.report import BuildReport
from recall.tables import SCHEMAS
from recall.types import DISLIKE, LIKE, NEUTRAL
from recall.workspace import Workspace

NOW = 1_700_000_000
CINEMA: dict[str, Any] = {
    "columns": {"user": "user", "item": "film", "value": "stars", "time": "at"},
    "type": "rating",
    "rating": {},
}
SHOP: dict[str, Any] = {
    "columns": {"user": "buyer", "item": "sku", "time": "when"},
    "time": "iso8601",
    "type": "purchase",
}


def merge(folder: Path, *, workspace: str = "workspace", now: int = NOW, **options: Any) -> BuildReport:
    """Ingest cinema/*.csv (ratings), shop/*.csv (purchases) and items.csv, those that are there."""
    platforms = {}
    for name, source in (("cinema", CINEMA), ("shop", SHOP)):
        if list((folder / name).glob("*.csv")):
            platforms[name] = {"events": [source | {"path": f"{name}/*.csv"}]}
    if (folder / "items.csv").exists():
        columns = {"item": "film", "title": "title", "categories": "genres"}
        platforms["cinema"]["items"] = [{"path": "items.csv", "columns": columns, "title_year": True}]
    limit = options.pop("events_per_day", 1000)
    linker, consent = options.pop("linker", None), options.pop("consent", None)
    models = {
        name: PlatformConfig.model_validate(platform | {"events_per_day": limit})
        for name, platform in platforms.items()
    }
    config = MergeConfig.model_validate({"max_reject_share": 1.0, "threads": 1} | options)
    inputs = Inputs(folder, models, config)
    return ingest(inputs, Workspace(folder / workspace), linker, consent, now=now)


def write(folder: Path, name: str, *rows: str) -> None:
    heads = {"cinema": "user,film,stars,at", "shop": "buyer,sku,when", "items": "film,title,genres"}
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    head = heads[name.split("/")[0].removesuffix(".csv")]
    path.write_text("\n".join([head, *rows]) + "\n")


def table(report: BuildReport, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(report.path / f"{name}.parquet").to_pylist()
    return rows


def test_every_table_has_its_columns_types_and_order(tmp_path: Path) -> None:
    write(tmp_path, "cinema/a.csv", "ann,m1,5,100", "bob,m1,1,200", "ann,m2,3,50")
    write(tmp_path, "shop/a.csv", "ann,s1,2020-01-01T00:00:00+02:00")
    write(tmp_path, "items.csv", "m1,The Matrix (1999),Action|Sci-Fi", "m9,Unseen (2001),")
    report = merge(tmp_path)
    for name, schema in SCHEMAS.items():
        found = pq.read_schema(report.path / f"{name}.parquet")
        assert [(f.name, f.type) for f in found] == [(f.name, f.type) for f in schema], name
    events = table(report, "events")
    assert events == sorted(events, key=lambda e: (e["person"], e["time"], e["event"]))
    assert [row["item"] for row in table(report, "items")] == sorted(
        r["item"] for r in table(report, "items")
    )


def test_an_event_carries_ids_polarity_weight_and_utc_time(tmp_path: Path) -> None:
    write(tmp_path, "cinema/a.csv", "ann,m1,5,100", "ann,m2,3,100", "ann,m3,1,100")
    write(tmp_path, "shop/a.csv", "bob,s1,2020-01-01T00:00:00+02:00")
    events = {event["listing"]: event for event in table(merge(tmp_path), "events")}
    assert [events[m]["polarity"] for m in ("m1", "m2", "m3")] == [LIKE, NEUTRAL, DISLIKE]
    assert [events[m]["weight"] for m in ("m1", "m2", "m3")] == [1_000_000, 200_000, 0]
    assert events["m1"]["event"] == event_id("cinema", "ann", "m1", "rating", 5.0, 100)
    assert events["m1"]["person"] == person_id("cinema", "ann")
    assert events["m1"]["item"] == item_id("cinema", "m1")
    assert events["s1"]["event"] == event_id("shop", "bob", "s1", "purchase", None, 1577829600)


def test_interactions_decay_at_the_reference_time_are_capped_and_hold_no_dislike(tmp_path: Path) -> None:
    day = 86_400
    write(tmp_path, "cinema/a.csv", f"ann,m1,5,{10 * day}", "ann,m1,4,0", f"ann,m2,1,{10 * day}")
    report = merge(tmp_path, half_life_days=10)
    assert report.reference_time == 10 * day
    (row,) = table(report, "interactions")
    assert (row["weight"], row["events"], row["last"]) == (1_500_000, 2, 10 * day)
    (row,) = table(merge(tmp_path, half_life_days=10, cap=1.25), "interactions")
    assert row["weight"] == 1_250_000


def test_catalogue_rows_join_listings_that_only_events_name(tmp_path: Path) -> None:
    write(tmp_path, "cinema/a.csv", "ann,m1,5,100", "ann,m7,5,100")
    write(tmp_path, "items.csv", "m1,The Matrix (1999),Action|Sci-Fi", "m9,Unseen (2001),")
    report = merge(tmp_path)
    listings = {row["listing"]: row for row in table(report, "listings")}
    assert (listings["m1"]["title"], listings["m1"]["year"]) == ("The Matrix", 1999)
    assert listings["m1"]["categories"] == ["Action", "Sci-Fi"]
    assert listings["m7"]["title"] is None and listings["m9"]["title"] == "Unseen"
    assert len(table(report, "items")) == 3


def test_copies_are_counted_as_duplicates_of_the_first_file(tmp_path: Path) -> None:
    write(tmp_path, "cinema/a.csv", "ann,m1,5,100", "bob,m1,5,100")
    write(tmp_path, "cinema/b.csv", "ann,m1,5,100", "ann,m1,5.0,100", "cid,m1,5,100")
    report = merge(tmp_path)
    assert [(f.kept, f.duplicates) for f in report.files] == [(2, 0), (1, 2)]
    rejects = [(r["file"], r["row"], r["verdict"]) for r in table(report, "rejects")]
    assert rejects == [("cinema/b.csv", 2, "duplicate"), ("cinema/b.csv", 3, "duplicate")]


def test_near_duplicates_leave_the_latest_of_them(tmp_path: Path) -> None:
    write(tmp_path, "cinema/a.csv", "ann,m1,5,100", "ann,m1,4,103", "ann,m1,3,500", "ann,m2,3,101")
    report = merge(tmp_path, near_seconds=5)
    assert sorted((e["listing"], e["time"]) for e in table(report, "events")) == [
        ("m1", 103),
        ("m1", 500),
        ("m2", 101),
    ]
    assert report.files[0].reasons == {"near_duplicate": 1}


def test_a_bot_is_set_aside_and_busy_people_are_not(tmp_path: Path) -> None:
    bot = [f"bot,m{n},5,{n}" for n in range(11)]
    busy = [f"ann,m{n},5,{n * 86_400}" for n in range(20)]
    write(tmp_path, "cinema/a.csv", *bot, *busy)
    report = merge(tmp_path, events_per_day=10)
    assert report.files[0].reasons == {"bot": 11} and report.files[0].set_aside == 11
    assert {event["user"] for event in table(report, "events")} == {"ann"}
    assert {r["verdict"] for r in table(report, "rejects")} == {"set aside"}


def test_times_after_the_clock_are_rejected_even_when_staged_before(tmp_path: Path) -> None:
    write(tmp_path, "cinema/a.csv", "ann,m1,5,100", f"ann,m2,5,{NOW + 10 * 86_400}")
    assert merge(tmp_path, now=NOW + 20 * 86_400).files[0].kept == 2
    report = merge(tmp_path)
    assert report.files[0].reused and report.files[0].reasons == {"time_in_future": 1}
    assert [(r["row"], r["reason"]) for r in table(report, "rejects")] == [(3, "time_in_future")]


def test_a_seconds_column_in_milliseconds_is_named_as_such(tmp_path: Path) -> None:
    write(tmp_path, "cinema/a.csv", "ann,m1,5,1600000000000", "ann,m1,5,1600000000000000", "ann,m1,6,5")
    reasons = merge(tmp_path).files[0].reasons
    assert reasons == {"time_in_milliseconds": 1, "time_in_microseconds": 1, "value_off_scale": 1}


def test_too_many_rejects_refuse_the_build_and_leave_the_current_one(tmp_path: Path) -> None:
    write(tmp_path, "cinema/a.csv", "ann,m1,5,100")
    first = merge(tmp_path)
    write(tmp_path, "cinema/a.csv", "ann,m1,5,100", "ann,m1,nine,100")
    with pytest.raises(TooManyRejects, match=r"bad_value in cinema/a\.csv, e\.g\. row 3: ann,m1,nine,100"):
        merge(tmp_path, max_reject_share=0.05)
    assert Workspace(tmp_path / "workspace").builds.current() == first.path


def test_a_crash_leaves_the_current_build(tmp_path: Path) -> None:
    write(tmp_path, "cinema/a.csv", "ann,m1,5,100")
    first = merge(tmp_path)

    def fails(accounts: pa.Table, listings: pa.Table) -> pa.Table:
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        merge(tmp_path, linker=fails)
    builds = Workspace(tmp_path / "workspace").builds
    assert builds.current() == first.path and builds.names() == [first.build]


def test_links_join_platforms_and_their_confidence_reaches_the_events(tmp_path: Path) -> None:
    write(tmp_path, "cinema/a.csv", "ann,m1,5,100")
    write(tmp_path, "shop/a.csv", "annie,s1,2020-01-01")

    def one_person(accounts: pa.Table, listings: pa.Table) -> pa.Table:
        people = own_links(accounts, "person", "user")
        one = pa.array(["p" + "0" * 20] * len(people))
        people = people.set_column(people.column_names.index("target"), "target", one)
        half = pa.array([0.5] * len(people), pa.float32())
        people = people.set_column(people.column_names.index("confidence"), "confidence", half)
        return sorted_links(people, own_links(listings, "item", "listing"))

    class Apart:
        def stated(self) -> frozenset[str]:
            return frozenset()

        def groups(self, person: str, platforms: Sequence[str]) -> list[frozenset[str]]:
            return [frozenset({platform}) for platform in platforms]

    report = merge(tmp_path, linker=one_person)
    assert [row["platforms"] for row in table(report, "people")] == [["cinema", "shop"]]
    assert {event["confidence"] for event in table(report, "events")} == {0.5}
    assert {row["group"] for row in table(report, "interactions")} == {0}
    apart = merge(tmp_path, linker=one_person, consent=Apart())
    assert [row["group"] for row in table(apart, "interactions")] == [0, 1]


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    write(tmp_path, "cinema/a.csv", "ann,m1,5,100")
    write(tmp_path, "cinema/b.csv", "bob,m1,5,100")
    merge(tmp_path)
    write(tmp_path, "cinema/b.csv", "bob,m1,5,100", "cid,m1,5,100")
    assert [file.reused for file in merge(tmp_path).files] == [True, False]


def test_the_report_on_disk_is_the_report_returned(tmp_path: Path) -> None:
    write(tmp_path, "cinema/a.csv", "ann,m1,5,100", "ann,m1,x,100")
    report = merge(tmp_path)
    saved = json.loads((report.path / "report.json").read_text())
    assert saved == report.as_json()
    assert saved["total"]["reasons"] == {"bad_value": 1} and saved["tables"]["events"] == 1


def test_a_moved_article_stands_in_front_of_the_items_title_but_not_the_listings(tmp_path: Path) -> None:
    horseman = "Horseman on the Roof, The (Hussard sur le toit, Le)"
    titles = ["Usual Suspects, The", "Enfer, L'", horseman, "I, Me"]
    rows = [f'm{n},"{title}",Drama' for n, title in enumerate(titles)]
    write(tmp_path, "items.csv", *rows)
    write(tmp_path, "cinema/a.csv", *(f"ann,m{n},5,{n}" for n in range(4)))
    report = merge(tmp_path)
    assert {row["title"] for row in table(report, "items")} == {
        "The Usual Suspects",
        "L'Enfer",
        "The Horseman on the Roof (Hussard sur le toit, Le)",
        "I, Me",
    }
    assert {row["title"] for row in table(report, "listings")} == set(titles)
