"""`whyrec ingest --check` tells what each column becomes and what would be left out, and writes nothing."""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.whole import whyrec

CONFIG = """
workspace = "workspace"
[platforms.cinema]
[[platforms.cinema.events]]
path = "ratings.csv.gz"
columns = { user = "user", item = "film", value = "stars", time = "at", keys = { email = "mail" } }
rating = {}
[[platforms.cinema.events]]
path = "late/*.csv"
columns = { user = "user", item = "film", time = "at" }
[[platforms.cinema.items]]
path = "films.csv"
encoding = "utf-16"
columns = { item = "film", title = "title" }
title_year = true
[platforms.shop]
[[platforms.shop.events]]
url = "sqlite:///shop.db"
table = "orders"
time = "milliseconds"
columns = { user = "user", item = "item", time = "time" }
[[platforms.shop.events]]
path = "views.parquet"
columns = { user = "user", item = "item", time = "seen" }
[[platforms.shop.items]]
path = "goods.jsonl"
columns = { item = "id", title = "about.title", categories = "tags" }
"""


def write(folder: Path) -> Path:
    ratings = "user,film,stars,at,mail,colour\nann,m1,5,1600000000,ann@example.org,red\n"
    ratings += "bob,m1,9,1600000000,,\ncid,m2,3,1600000000000,,\n" + "dan,m3,4,1600000001,,\n" * 10
    (folder / "ratings.csv.gz").write_bytes(gzip.compress(ratings.encode()))
    titles = "film,title\r\n" + "".join(f"m{n},Čapek {n} (19{n})\r\n" for n in range(10, 60))
    (folder / "films.csv").write_bytes(titles.encode("utf-16"))
    with sqlite3.connect(folder / "shop.db") as database:
        database.execute("CREATE TABLE orders (user TEXT, item INTEGER, time INTEGER)")
        rows = [("a", n, 1_600_000_000 * (1 if n == 3 else 1000)) for n in range(9)]
        database.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
    database.close()
    pq.write_table(pa.table({"user": ["x"], "item": ["y"], "time": [1]}), folder / "views.parquet")
    lines = [{"id": n, "about": {"title": f"Tea {n}"}, "tags": ["a", "b"]} for n in range(5)]
    (folder / "goods.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "no json\n")
    config = folder / "whyrec.toml"
    config.write_text(CONFIG)
    return config


def checked(folder: Path, *more: str) -> dict[tuple[str, str], Any]:
    done = whyrec("ingest", "--check", "--json", "--config", write(folder), *more)
    assert done.exit_code == 1  # two sources can't be read
    return {(one["kind"], one["file"]): one for one in json.loads(done.stdout)}


def test_every_source_is_tried_and_each_failing_one_says_why(tmp_path: Path) -> None:
    found = checked(tmp_path)
    assert len(found) == 6
    assert "no file matches 'late/*.csv'" in found["events", "late/*.csv"]["problem"]
    assert "cinema.events[1]" in found["events", "late/*.csv"]["problem"]
    assert "no column 'seen'" in found["events", "views.parquet"]["problem"]
    assert not (tmp_path / "workspace").exists()


def test_it_shows_what_columns_became_and_hides_addresses(tmp_path: Path) -> None:
    one = checked(tmp_path)["events", "ratings.csv.gz"]
    became = {each["attribute"]: each for each in one["became"]}
    assert became["time"]["was"][0] == "1600000000"
    assert became["time"]["became"][0] == "2020-09-13 12:26:40"
    assert became["polarity"]["became"][0] == "like"
    assert became["key email"]["became"] == ["1 hashed, 1 in all"]
    assert one["unused"] == ["colour"]
    assert "ann@example.org" not in json.dumps(one)


def test_it_names_what_would_be_left_out_with_line_and_row(tmp_path: Path) -> None:
    found = checked(tmp_path)
    reasons = {reason["code"]: reason for reason in found["events", "ratings.csv.gz"]["reasons"]}
    assert set(reasons) == {"value_off_scale", "time_in_milliseconds"}
    assert (reasons["value_off_scale"]["line"], reasons["value_off_scale"]["rows"]) == (3, 1)
    (reason,) = found["events", "sqlite:orders"]["reasons"]
    assert (reason["code"], reason["line"]) == ("time_in_seconds", 4)
    assert [reason["code"] for reason in found["items", "goods.jsonl"]["reasons"]] == ["bad_json"]


def test_nested_keys_lists_and_years_in_titles_are_shown(tmp_path: Path) -> None:
    found = checked(tmp_path)
    goods = {each["attribute"]: each for each in found["items", "goods.jsonl"]["became"]}
    assert goods["title"]["was"][0] == goods["title"]["became"][0] == "Tea 0"
    assert goods["categories"]["became"][0] == "a | b"
    films = {each["attribute"]: each for each in found["items", "films.csv"]["became"]}
    assert films["title"]["was"][0] == "Čapek 10 (1910)"
    assert (films["title"]["became"][0], films["year"]["became"][0]) == ("Čapek 10", "1910")


def test_only_the_beginning_is_read(tmp_path: Path) -> None:
    found = checked(tmp_path, "--rows", "4")
    assert {file: (one["read"], one["whole"]) for (_, file), one in found.items() if not one["problem"]} == {
        "ratings.csv.gz": (4, False),
        "films.csv": (4, False),
        "sqlite:orders": (4, False),
        "goods.jsonl": (4, False),
    }


def test_people_get_tables_and_a_conclusion(tmp_path: Path) -> None:
    done = whyrec("ingest", "--check", "--config", write(tmp_path))
    assert done.exit_code == 1
    assert "value_off_scale, first in row 3: bob,m1,9" in done.stdout
    assert "2 of 6 sources can't be read; nothing was written" in done.stdout
