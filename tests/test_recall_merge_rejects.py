"""Every row that a build leaves out says where it stands, why, and how it looked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recall.config import MergeConfig, PlatformConfig
from recall.errors import TooManyRejects
from recall.merge import Inputs, ingest
from recall.report import BuildReport
from recall.workspace import Workspace

NOW = 1_700_000_000
COLUMNS = {"user": "user", "item": "film", "value": "stars", "time": "at"}
SOURCE: dict[str, Any] = {"path": "*.csv", "columns": COLUMNS, "type": "rating", "rating": {}}


def merge(folder: Path, source: dict[str, Any] = SOURCE, *, salt: bytes = b"", **options: Any) -> BuildReport:
    limit = options.pop("events_per_day", 1000)
    platform = PlatformConfig.model_validate({"events": [source], "events_per_day": limit})
    config = MergeConfig.model_validate({"max_reject_share": 1.0, "threads": 1} | options)
    return ingest(Inputs(folder, {"cinema": platform}, config, salt), Workspace(folder / "w"), now=NOW)


def rejects(report: BuildReport, *columns: str) -> list[tuple[Any, ...]]:
    rows = pq.read_table(report.path / "rejects.parquet").to_pylist()
    return [tuple(row[column] for column in columns) for row in rows]


def test_each_unusable_row_names_the_column_and_what_it_should_hold(tmp_path: Path) -> None:
    rows = ["ann,m1,nine,5", "ann,m1,9,5", ",m1,3,5", "ann,m1,3,1600000000000", "ann,m1,3,soon", "ann,m1"]
    (tmp_path / "a.csv").write_text("\n".join(["user,film,stars,at", *rows]) + "\n")
    assert rejects(merge(tmp_path), "row", "reason", "detail", "raw") == [
        (2, "bad_value", "'stars' is not a number below 10¹²", "ann,m1,nine,5"),
        (3, "value_off_scale", "'stars' is not from 1 to 5", "ann,m1,9,5"),
        (4, "missing_user", "'user' is empty", ",m1,3,5"),
        (
            5,
            "time_in_milliseconds",
            "'at' looks like milliseconds; the source says time = 'seconds'",
            "ann,m1,3,1600000000000",
        ),
        (6, "bad_time", "'at' is no time in seconds", "ann,m1,3,soon"),
        (7, "too_few_fields", "the row should have 4 fields", "ann,m1"),
    ]


def test_a_duplicate_says_where_the_kept_row_stands_and_shows_itself_if_asked(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('user,film,stars,at\n"bob\nby",m1,3,4\nann,m1,3,5\n')
    (tmp_path / "b.csv").write_text("user,film,stars,at\ncid,m1,3,5\nann,m1,3.0,5\n")
    columns = ("file", "row", "verdict", "reason", "detail", "raw")
    found = ("b.csv", 3, "duplicate", "duplicate", "as a.csv row 4")
    assert rejects(merge(tmp_path), *columns)[-1:] == [(*found, None)]
    assert rejects(merge(tmp_path, raw_duplicates=True), *columns)[-1:] == [(*found, "ann,m1,3.0,5")]


def test_bots_late_rows_and_near_duplicates_show_why(tmp_path: Path) -> None:
    late = NOW + 90_000
    rows = ["bot,m1,5,1", "bot,m2,5,2", "bot,m3,5,3", "ann,m1,3,50", "ann,m1,4,53", f"ann,m9,4,{late}"]
    (tmp_path / "a.csv").write_text("\n".join(["user,film,stars,at", *rows]) + "\n")
    report = merge(tmp_path, events_per_day=2, near_seconds=5, raw_duplicates=True)
    bots = [(n, "bot", "3 events of this person on one UTC day", row) for n, row in enumerate(rows[:3], 2)]
    assert rejects(report, "row", "reason", "detail", "raw") == [
        *bots,
        (5, "near_duplicate", "the same again at 1970-01-01T00:00:53Z", "ann,m1,3,50"),
        (7, "time_in_future", "2023-11-15T23:13:20Z is after the time of the ingest", rows[5]),
    ]


def test_rows_after_the_clock_count_towards_the_refusal(tmp_path: Path) -> None:
    rows = ["ann,m1,5,100", "ann,m2,5,100", f"ann,m3,5,{NOW + 90_000}"]
    (tmp_path / "a.csv").write_text("\n".join(["user,film,stars,at", *rows]) + "\n")
    with pytest.raises(TooManyRejects, match=rf"time_in_future in a\.csv, e\.g\. row 4: {rows[2]}"):
        merge(tmp_path, max_reject_share=0.3)
    assert merge(tmp_path, max_reject_share=0.34).files[0].rejected == 1


def test_raw_rows_of_what_merging_leaves_out_hide_key_columns(tmp_path: Path) -> None:
    source = SOURCE | {"columns": COLUMNS | {"keys": {"email": "mail"}}}
    rows = [f"bot,m{n},5,{n},bot@example.org" for n in range(3)]
    (tmp_path / "a.csv").write_text("\n".join(["user,film,stars,at,mail", *rows]) + "\n")
    report = merge(tmp_path, source, salt=b"x" * 32, events_per_day=2)
    assert [raw for (raw,) in rejects(report, "raw")] == [f"bot,m{n},5,{n},***" for n in range(3)]


def test_rows_of_parquet_files_are_shown_as_json(tmp_path: Path) -> None:
    table = {"user": ["bot"] * 3, "film": ["m1", "m2", "m3"], "stars": [5.0] * 3, "at": [1, 2, 3]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    report = merge(tmp_path, SOURCE | {"path": "a.parquet"}, events_per_day=2)
    assert rejects(report, "row", "raw")[0] == (1, '{"user": "bot", "film": "m1", "stars": 5.0, "at": 1}')
