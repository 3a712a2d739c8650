"""The store as a source: live events and items are merged like files, erased accounts are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from api.migrations import open_migrated
from recall.config import MergeConfig, PlatformConfig
from recall.merge import Inputs, ingest
from recall.report import BuildReport
from recall.sources.live import LiveSource
from recall.store import Store
from recall.store.events import LiveEvent, append_events
from recall.store.items import LiveItem, put_items
from recall.store.tombstones import bury, load_tombstones
from recall.weigh import weigh
from recall.workspace import Workspace

NOW = 1_700_000_000
CINEMA = PlatformConfig.model_validate(
    {
        "events": [
            {
                "path": "cinema.csv",
                "columns": {"user": "user", "item": "film", "value": "stars", "time": "at"},
                "type": "rating",
                "rating": {},
            },
            {"path": "skips.csv", "columns": {"user": "user", "item": "film", "time": "at"}, "type": "skip",
             "types": {"skip": {"polarity": "dislike"}}},
        ],
        "items": [{"path": "films.csv", "columns": {"item": "film", "title": "title"}}],
    }
)  # fmt: skip


def write(folder: Path, *ratings: str) -> None:
    (folder / "cinema.csv").write_text("\n".join(["user,film,stars,at", *ratings]) + "\n")
    (folder / "skips.csv").write_text("user,film,at\n")
    (folder / "films.csv").write_text("film,title\nm1,Alien\nm2,Brazil\n")


def live(user: str, listing: str, type: str, value: float | None, time: int) -> LiveEvent:
    """As the service keeps it."""
    found = weigh("cinema", CINEMA, user=user, listing=listing, type=type, value=value, time=time, latest=NOW)
    assert isinstance(found, LiveEvent)
    return found


def merge(folder: Path, store: Store, **more: Any) -> BuildReport:
    config = MergeConfig(max_reject_share=1.0, threads=1)
    tombstones = store.run(load_tombstones(store))
    inputs = Inputs(folder, {"cinema": CINEMA}, config, tombstones=tombstones, live=LiveSource(store))
    return ingest(inputs, Workspace(folder / "workspace"), now=NOW, **more)


def rows(report: BuildReport, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(report.path / f"{name}.parquet").to_pylist()
    return found


def opened(folder: Path) -> Store:
    return open_migrated(f"sqlite:///{folder / 'store.db'}")


def test_live_events_are_merged_with_the_weight_of_their_type(tmp_path: Path) -> None:
    write(tmp_path, "ann,m1,5,100")
    with opened(tmp_path) as store:
        events = [live("bob", "m1", "rating", 4.5, 300), live("bob", "m2", "skip", None, 400)]
        store.run(append_events(store, events))
        report = merge(tmp_path, store)
    found = {(row["user"], row["listing"]): row for row in rows(report, "events")}
    assert len(found) == 3
    for one in events:
        row = found[one.user, one.listing]
        assert (row["event"], row["weight"], row["polarity"]) == (one.id, one.weight, one.polarity)


def test_an_event_that_a_later_export_holds_too_counts_once(tmp_path: Path) -> None:
    write(tmp_path, "ann,m1,5,100")
    with opened(tmp_path) as store:
        store.run(append_events(store, [live("bob", "m1", "rating", 4.0, 300)]))
        merge(tmp_path, store)
        write(tmp_path, "ann,m1,5,100", "bob,m1,4,300")
        report = merge(tmp_path, store)
    assert len(rows(report, "events")) == 2
    by_file = {file.file: file for file in report.files}
    assert by_file["cinema.csv"].kept == 2
    assert by_file["live events"].reasons == {"duplicate": 1}


def test_a_store_that_did_not_change_is_not_cleaned_again(tmp_path: Path) -> None:
    write(tmp_path, "ann,m1,5,100")
    with opened(tmp_path) as store:
        store.run(append_events(store, [live("bob", "m1", "rating", 4.0, 300)]))
        merge(tmp_path, store)
        assert all(file.reused for file in merge(tmp_path, store).files)
        store.run(append_events(store, [live("bob", "m2", "rating", 4.0, 300)]))
        report = merge(tmp_path, store)
    assert [file.file for file in report.files if not file.reused] == ["live events"]
    assert len(rows(report, "events")) == 3


def test_a_type_that_the_configuration_lost_is_rejected_and_other_platforms_stay_in_the_store(
    tmp_path: Path,
) -> None:
    write(tmp_path, "ann,m1,5,100")
    with opened(tmp_path) as store:
        lost = LiveEvent("cinema", "bob", "m1", "bought", 300, 4.0, 1, 1)
        store.run(append_events(store, [lost, LiveEvent("radio", "x", "y", "play", 1, None, 1, 1)]))
        report = merge(tmp_path, store)
    assert [file.reasons for file in report.files if file.file == "live events"] == [{"unknown_type": 1}]
    assert len(rows(report, "events")) == 1


def test_a_live_item_replaces_the_row_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, "ann,m1,5,100", "ann,m3,5,100")
    with opened(tmp_path) as store:
        facts = LiveItem(
            "cinema", "m1", "Aliens", 1986, ("Cameron",), ("Action",), external_ids={"imdb": "7"}
        )
        store.run(put_items(store, [facts, LiveItem("cinema", "m3", "Casablanca", price=3.5)]))
        report = merge(tmp_path, store)
    found = {row["listing"]: row for row in rows(report, "listings")}
    assert (found["m1"]["title"], found["m1"]["year"], found["m1"]["creators"]) == (
        "Aliens", 1986, ["Cameron"],
    )  # fmt: skip
    assert found["m1"]["external_ids"] == [("imdb", "7")]
    assert (found["m2"]["title"], found["m3"]["title"], found["m3"]["price"]) == ("Brazil", "Casablanca", 3.5)


def test_an_erased_account_stays_out_is_counted_and_is_named_nowhere(tmp_path: Path) -> None:
    write(
        tmp_path, "canary7,m1,5,100", "canary7,m2,5,never", "canary7,m2", "ann,m1,5,100", "canary7,m2,5,900"
    )
    with opened(tmp_path) as store:
        before = merge(tmp_path, store)
        store.run(bury(store, [("cinema", "canary7")], now=500))
        report = merge(tmp_path, store)
    assert report.files[0].read == before.files[0].read == 5
    file = next(file for file in report.files if file.file == "cinema.csv")
    assert file.reasons == {"erased": 2, "too_few_fields": 1} and file.set_aside == 2
    assert {(row["user"], row["time"]) for row in rows(report, "events")} == {("ann", 100), ("canary7", 900)}
    assert "canary7" in str(rows(before, "rejects"))
    assert "canary7" not in str(rows(report, "rejects"))


def test_an_erased_account_that_did_not_come_back_is_in_no_table_and_no_stage(tmp_path: Path) -> None:
    write(tmp_path, "canary7,m1,5,100", "ann,m1,5,100")
    with opened(tmp_path) as store:
        store.run(append_events(store, [live("canary7", "m1", "rating", 4.0, 300)]))
        store.run(bury(store, [("cinema", "canary7")], now=500))
        report = merge(tmp_path, store)
    for path in [*report.path.glob("*.parquet"), *(tmp_path / "workspace" / "staged").rglob("*.parquet")]:
        assert "canary7" not in str(pq.read_table(path).to_pylist()), path
