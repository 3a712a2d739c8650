"""The merge on a local Spark session yields the rows that DuckDB yields."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.bench.merge_world import NOW, PLATFORMS, generated
from recall.config import MergeConfig, PlatformConfig
from recall.merge import Inputs, ingest
from recall.merge_links import own_links, sorted_links
from recall.report import BuildReport
from recall.tables import SCHEMAS
from recall.workspace import Workspace

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """One local session for all tests: an engine uses the one that runs."""
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed (extra 'spark')")
    if not os.environ.get("JAVA_HOME") and not shutil.which("java"):
        pytest.skip("Spark needs Java: no `java` on the path and no JAVA_HOME")
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    found = builder.config("spark.sql.shuffle.partitions", "4").getOrCreate()
    yield found
    found.stop()


def both(
    folder: Path, platforms: dict[str, Any], linker: Any = None, consent: Any = None, **options: Any
) -> list[BuildReport]:
    models = {name: PlatformConfig.model_validate(given) for name, given in platforms.items()}
    found = []
    for engine in ("duckdb", "spark"):
        config = MergeConfig.model_validate({"max_reject_share": 1.0, "engine": engine} | options)
        workspace = Workspace(folder / engine)
        found.append(ingest(Inputs(folder, models, config), workspace, linker, consent, now=NOW))
    return found


def assert_equal(one: BuildReport, other: BuildReport) -> None:
    for name in SCHEMAS:
        left, right = (pq.read_table(report.path / f"{name}.parquet") for report in (one, other))
        types = [[(field.name, field.type) for field in table.schema] for table in (left, right)]
        assert types[0] == types[1], name
        assert left.to_pylist() == right.to_pylist(), name
    assert [file.as_json() for file in one.files] == [file.as_json() for file in other.files]
    assert one.reference_time == other.reference_time


def test_generated_platforms_come_out_row_for_row(session: Any, tmp_path: Path) -> None:
    world = generated(6_000, tmp_path)
    links = pq.read_table(world.folder / "links.parquet")

    def link(accounts: pa.Table, listings: pa.Table) -> pa.Table:
        return links

    class Apart:
        def stated(self) -> frozenset[str]:
            return frozenset()

        def groups(self, person: str, platforms: Sequence[str]) -> list[frozenset[str]]:
            return [frozenset({platform}) for platform in platforms]

    platforms = {name: given | {"events_per_day": 2} for name, given in PLATFORMS.items()}
    one, other = both(world.folder, platforms, link, Apart(), near_seconds=10, raw_duplicates=True)
    assert_equal(one, other)
    reasons = one.as_json()["total"]["reasons"]
    assert {"duplicate", "near_duplicate", "bot", "time_in_future", "bad_time"} <= set(reasons)
    groups = pq.read_table(one.path / "interactions.parquet", columns=["group"])["group"]
    assert set(groups.to_pylist()) == {0, 1, 2}


def test_catalogues_and_every_form_of_source_come_out_row_for_row(session: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        'who;what;mark;on\nann;m1;"4,5";2020-01-01T00:30:00.5+02:00\nbøb;m2;3;1999-12-31\n'
        "ann;m1;x;2020-13-01\n cid ;m3;11;2020-02-30 10:00\n;m3;1;2020-01-01\n"
        "ann;m4;2;1969-12-31T23:59:59.5\nann;m5;7;2020-06-01T12:00:00Z\n"
    )
    lines = [
        {"u": 7, "i": {"id": "m1"}, "t": 1_600_000_000_123, "n": 2},
        {"u": "x", "i": {"id": "m9"}, "t": 1_600_000_000, "n": 900},
        {"u": "x", "i": {"id": "m9"}, "t": "soon", "n": -1},
    ]
    (tmp_path / "b.jsonl").write_text("\n".join([*map(json.dumps, lines), "{broken"]) + "\n")
    (tmp_path / "items.csv").write_text(
        "id,name,by,genres,price,age,from,isbn,drama,text\n"
        'm1,"  The   Matrix (1999)",A. Wachowski|L. Wachowski,"[""Action"", ""Sci-Fi""]","$1,299.50",16,'
        "2020-01-01,978-1,1,Blue or red\n"
        "m2,Amélie,Jeunet,Romance||Comedy,free,,,,0,\n"
        "m2,again,,,,,,,,\n,none,,,,,,,,\nm9,,,,-3,200,never,978-1,true,\n"
    )
    columns = {"item": "id", "title": "name", "creators": "by", "categories": "genres", "price": "price"}
    columns |= {"min_age": "age", "available_from": "from", "description": "text"}
    platforms: dict[str, Any] = {
        "cinema": {
            "events": [
                {
                    "path": "a.csv",
                    "delimiter": ";",
                    "columns": {"user": "who", "item": "what", "value": "mark", "time": "on"},
                    "time": "iso8601",
                    "rating": {"min": 0, "max": 10, "like": 3, "dislike": 1},
                    "filter": "who != 'nobody' and mark >= 0",
                }
            ],
            "items": [
                {
                    "path": "items.csv",
                    "columns": columns | {"external_ids": {"isbn": "isbn"}},
                    "title_year": True,
                    "flags": {"drama": "Drama"},
                    "constants": {"language": "en"},
                }
            ],
        },
        "shop": {
            "events": [
                {
                    "path": "b.jsonl",
                    "columns": {"user": "u", "item": "i.id", "value": "n", "time": "t"},
                    "time": "milliseconds",
                    "quantity": {"cap": 3},
                }
            ]
        },
    }

    def one_item(accounts: pa.Table, listings: pa.Table) -> pa.Table:
        items = own_links(listings, "item", "listing")
        target = pa.array(["i" + "0" * 20] * len(items))
        items = items.set_column(items.column_names.index("target"), "target", target)
        return sorted_links(own_links(accounts, "person", "user"), items)

    one, other = both(tmp_path, platforms)
    assert_equal(one, other)
    assert_equal(*both(tmp_path, platforms, one_item))
    (matrix, *_) = [
        row for row in pq.read_table(one.path / "listings.parquet").to_pylist() if row["listing"] == "m1"
    ]
    assert (matrix["title"], matrix["year"], matrix["price"]) == ("The Matrix", 1999, 1299.5)
    assert matrix["categories"] == ["Action", "Sci-Fi", "Drama"]
