"""What holds for any files: their order, reading them twice, and reading only what changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recall.config import MergeConfig, PlatformConfig
from recall.links.config import LinksConfig
from recall.links.ledger import Decision, Ledger
from recall.links.linker import make_linker
from recall.merge import Inputs, ingest
from recall.report import BuildReport
from recall.tables import SCHEMAS
from recall.workspace import Workspace

NOW = 1_700_000_000
HEADS = {
    "cinema": "user,film,stars,at",
    "shop": "buyer,sku,kind,pieces,when",
    "cinema-items": "film,title,genres,imdb",
    "shop-items": "sku,name,year",
}
PLATFORMS: dict[str, Any] = {
    "cinema": {
        "events_per_day": 4,
        "events": [
            {
                "path": "cinema/*.csv",
                "columns": {"user": "user", "item": "film", "value": "stars", "time": "at"},
                "type": "rating",
                "rating": {},
            }
        ],
        "items": [
            {
                "path": "cinema-items/*.csv",
                "columns": {
                    "item": "film",
                    "title": "title",
                    "categories": "genres",
                    "external_ids": {"imdb": "imdb"},
                },
                "title_year": True,
            }
        ],
    },
    "shop": {
        "events": [
            {
                "path": "shop/*.csv",
                "columns": {
                    "user": "buyer",
                    "item": "sku",
                    "type": "kind",
                    "value": "pieces",
                    "time": "when",
                },
                "time": "iso8601",
                "quantity": {"cap": 2},
                "types": {"purchase": {}, "return": {"polarity": "dislike"}},
            }
        ],
        "items": [{"path": "shop-items/*.csv", "columns": {"item": "sku", "title": "name", "year": "year"}}],
    },
}
LEDGER = Ledger(
    (
        Decision("person", "add", ("cinema", "ann"), ("shop", "A")),
        Decision("item", "remove", ("cinema", "m2"), ("shop", "s2")),
    )
)
"""ann of the cinema is A of the shop; m2 is not s2, whatever their titles say."""


def rows(*cells: Sequence[str]) -> st.SearchStrategy[str]:
    return st.tuples(*map(st.sampled_from, cells)).map(",".join)


BROKEN = st.sampled_from(["", "ann,m1", 'ann,"m1,5,100', "ann,m1,5,100,more,and,more", '"a"b,m1,1,2'])
EVENTS = {
    "cinema": rows(
        ["ann", "bob", " ann ", ""], ["m1", "m2", "m3"], ["1", "3", "5", "5.0", "9", "x"],
        ["100", "103", "140", "86500", "1600000000", "1600000000000", str(NOW + 10**6), "soon"],
    ),
    "shop": rows(
        ["A", "B"], ["s1", "s2"], ["purchase", "return", "gift"], ["1", "3", "0"],
        ["1970-01-01T00:01:40Z", "1970-01-01T01:01:45+01:00", "2020-02-30", "2020-02-29"],
    ),
}  # fmt: skip
ITEMS = {
    "cinema-items": rows(
        ["m1", "m2", ""],
        ["Heat (1995)", "The Heat (1995)", "Ran (1985)", ""],
        ["Crime|Drama", ""],
        ["tt1", ""],
    ),
    "shop-items": rows(["s1", "s2"], ["Heat", "heat", "Ran"], ["1995", "1985", ""]),
}


def files_of(kinds: Mapping[str, st.SearchStrategy[str]], most: int) -> st.SearchStrategy[dict[str, Any]]:
    """File name → its rows, at least one file of each kind."""
    each = {
        f"{kind}/{number}.csv": st.lists(st.one_of(line, line, line, BROKEN), max_size=7)
        for kind, line in kinds.items()
        for number in range(most)
    }
    first = {name: lines for name, lines in each.items() if name.endswith("/0.csv")}
    return st.fixed_dictionaries(first, optional={n: v for n, v in each.items() if n not in first})


WORLD = st.builds(lambda events, items: events | items, files_of(EVENTS, 3), files_of(ITEMS, 2))


@contextmanager
def fresh() -> Iterator[Path]:
    folder = Path(mkdtemp())
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def put(folder: Path, files: Mapping[str, Sequence[str]]) -> None:
    """Make `folder` hold these files and no other; unchanged ones are left alone."""
    for name, lines in files.items():
        path, text = folder / name, "\n".join([HEADS[name.split("/")[0]], *lines]) + "\n"
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    for path in folder.glob("*/*.csv"):
        if str(path.relative_to(folder)) not in files:
            path.unlink()


def merge(folder: Path, workspace: str) -> BuildReport:
    platforms = {name: PlatformConfig.model_validate(given) for name, given in PLATFORMS.items()}
    config = MergeConfig(max_reject_share=1.0, threads=1, near_seconds=5, raw_duplicates=True)
    linker = make_linker(folder, LinksConfig(), LEDGER)
    report = ingest(Inputs(folder, platforms, config), Workspace(folder / workspace), linker, now=NOW)
    for file in report.files:
        assert file.read == file.kept + file.duplicates + file.set_aside + file.rejected, file
    return report


def tables(report: BuildReport, *names: str) -> dict[str, Any]:
    return {name: pq.read_table(report.path / f"{name}.parquet").to_pylist() for name in names or SCHEMAS}


def counts(report: BuildReport) -> list[dict[str, Any]]:
    return [file.as_json() | {"reused": None} for file in report.files]


def check_counts_and_rejects(files: Mapping[str, Sequence[str]]) -> None:
    with fresh() as folder:
        put(folder, files)
        report = merge(folder, "w")
        written = {name: sum(1 for line in lines if line) for name, lines in files.items()}
        assert {file.file: file.read for file in report.files} == written
        found = tables(report, "rejects", "events")
        assert len(found["rejects"]) == sum(sum(file.reasons.values()) for file in report.files)
        assert len(found["events"]) == sum(f.kept for f in report.files if f.source == "events")
        for reject in found["rejects"]:
            lines = (folder / reject["file"]).read_text().splitlines()
            shown = reject["raw"].split("\\n")[0]
            assert lines[reject["row"] - 1] == shown, reject
            assert reject["detail"]


def check_file_order_and_repetition(files: dict[str, list[str]], data: st.DataObject) -> None:
    with fresh() as folder:
        put(folder, files)
        first = merge(folder, "w")
        again = merge(folder, "w")
        assert tables(again) == tables(first) and counts(again) == counts(first)
        moved = {}
        for kind in HEADS:
            names = [name for name in files if name.startswith(f"{kind}/")]
            for name, other in zip(names, data.draw(st.permutations(names)), strict=True):
                lines = files[name]
                if kind in EVENTS:  # of two rows of one listing the first counts: the order matters there
                    lines = data.draw(st.permutations(lines))
                    moved[other] = lines
                else:
                    moved[name] = lines
        put(folder, moved)
        same = ("events", "interactions", "people", "items", "listings", "links")
        assert tables(merge(folder, "w"), *same) == tables(first, *same)


def check_incremental_is_scratch(steps: list[dict[str, list[str]]]) -> None:
    with fresh() as folder:
        for files in steps:
            put(folder, files)
            grown = merge(folder, "grown")
        scratch = merge(folder, "scratch")
        assert not any(file.reused for file in scratch.files)
        assert tables(grown) == tables(scratch) and counts(grown) == counts(scratch)


FEW, MANY = settings(max_examples=4, deadline=None), settings(max_examples=80, deadline=None)
STEPS = st.lists(WORLD, min_size=2, max_size=4)


@FEW
@given(files=WORLD)
def test_counts_add_up_and_every_reject_stands_where_it_says(files: dict[str, list[str]]) -> None:
    check_counts_and_rejects(files)


@settings(FEW, max_examples=2)
@given(files=WORLD, data=st.data())
def test_neither_order_nor_repetition_matters(files: dict[str, list[str]], data: st.DataObject) -> None:
    check_file_order_and_repetition(files, data)


@settings(FEW, max_examples=2)
@given(steps=STEPS)
def test_reading_what_changed_gives_what_a_build_from_scratch_gives(steps: list[dict[str, Any]]) -> None:
    check_incremental_is_scratch(steps)


@pytest.mark.long
@MANY
@given(files=WORLD)
def test_counts_add_up_in_many_worlds(files: dict[str, list[str]]) -> None:
    check_counts_and_rejects(files)


@pytest.mark.long
@MANY
@given(files=WORLD, data=st.data())
def test_order_and_repetition_in_many_worlds(files: dict[str, list[str]], data: st.DataObject) -> None:
    check_file_order_and_repetition(files, data)


@pytest.mark.long
@MANY
@given(steps=STEPS)
def test_incremental_is_scratch_in_many_worlds(steps: list[dict[str, Any]]) -> None:
    check_incremental_is_scratch(steps)
