"""CSV files, sound and broken: what is read, what is rejected, and on which line."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recall.config import EventSource, MergeConfig
from recall.errors import DataError
from recall.merge_engine import DuckDB
from recall.merge_stage import Stage
from recall.merge_staging import make_stage
from recall.sources.connection import connect
from recall.sources.csv_scan import scan
from recall.sources.files import SourceFile, fingerprint

COLUMNS = {"user": "user", "item": "item", "time": "time", "type": "note"}
FREE_NOTE = {"user": "user", "item": "item", "time": "time"}
HEADER = ("user", "item", "time", "note")

CONNECTION = connect(MergeConfig(threads=1), Path(mkdtemp()))
BACKEND = CONNECTION.__enter__()


def stage(folder: Path, content: bytes, name: str = "log.csv", **options: Any) -> Stage:
    """Stage one file of events: user, item, time and a free text that stands in for the type."""
    path = folder / name
    path.write_bytes(content)
    source = EventSource.model_validate({"path": name, "columns": COLUMNS} | options)
    file = SourceFile("shop", "events", 0, source, name, path)
    return make_stage(DuckDB(BACKEND), folder / "stage", file, fingerprint(path), max_title=500)


def kept(found: Stage) -> list[tuple[str, str, int, str]]:
    rows = pq.read_table(found.rows).to_pylist()
    return [(r["user"], r["listing"], r["time"], r["type"]) for r in rows if r["reason"] is None]


def rejects(found: Stage) -> list[tuple[int, str]]:
    return [(row["row"], row["reason"]) for row in pq.read_table(found.rejects).to_pylist()]


def lines(*rows: str, end: str = "\n") -> bytes:
    return "".join(row + end for row in ("user,item,time,note", *rows)).encode()


def test_a_sound_file_is_read_whole(tmp_path: Path) -> None:
    found = stage(tmp_path, lines("a,x,1,hello", 'b,y,2,"quoted, with ""quotes"""'))
    assert kept(found) == [("a", "x", 1, "hello"), ("b", "y", 2, 'quoted, with "quotes"')]
    assert found.read == 2 and rejects(found) == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,x,1", "too_few_fields"),
        ("a,x,1,n,more", "too_many_fields"),
        ('a,"x,1,n', "broken_quotes"),
        ('a,"x"y,1,n', "broken_quotes"),
        ('a,"x",1', "too_few_fields"),
        ('a,"x",1,n,more', "too_many_fields"),
        ("a\rb,x,1,n", "control_characters"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_broken_row_is_rejected_on_its_line_and_its_neighbours_are_kept(
    tmp_path: Path, row: str, reason: str, end: str
) -> None:
    found = stage(tmp_path, lines("before,x,1,n", row, "after,y,2,n", end=end))
    assert [user for user, *_ in kept(found)] == ["before", "after"]
    assert rejects(found) == [(3, reason)]
    assert found.read == 3


def test_bytes_of_another_encoding_reject_their_row_only(tmp_path: Path) -> None:
    content = lines("a,x,1,é") + "b,y,2,é\n".encode("latin-1") + "c,z,3,ü\n".encode()
    found = stage(tmp_path, content)
    assert [user for user, *_ in kept(found)] == ["a", "c"]
    assert rejects(found) == [(3, "invalid_encoding")]
    assert pq.read_table(found.rejects)["raw"].to_pylist() == ["b,y,2,\\xe9"]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "gb18030", "shift_jis"])
def test_a_stated_encoding_is_decoded(tmp_path: Path, encoding: str) -> None:
    note = "表示" if encoding in ("gb18030", "shift_jis", "utf-16") else "café"
    found = stage(tmp_path, lines(f"a,x,1,{note}", "b,y").decode().encode(encoding), encoding=encoding)
    assert kept(found) == [("a", "x", 1, note)]
    assert rejects(found) == [(3, "too_few_fields")]


def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path: Path) -> None:
    assert kept(stage(tmp_path, b"\xef\xbb\xbf" + lines("a,x,1,n"))) == [("a", "x", 1, "n")]


def test_nul_in_a_free_text_is_kept_and_in_an_id_is_rejected(tmp_path: Path) -> None:
    found = stage(tmp_path, lines("a,x,1,n\0n", "b\0,y,2,n"), columns=FREE_NOTE)
    assert [user for user, *_ in kept(found)] == ["a"]
    assert rejects(found) == [(3, "control_characters")]


def test_a_line_number_counts_the_lines_of_quoted_fields_and_blank_ones(tmp_path: Path) -> None:
    content = lines('a,"x",1,"two\nlines"', "", "b,y,never,n", 'c,z,3,"n"')
    found = stage(tmp_path, content, columns=FREE_NOTE)
    assert rejects(found) == [(5, "bad_time")]
    assert pq.read_table(found.rejects)["raw"].to_pylist() == ["b,y,never,n"]
    found = stage(tmp_path, lines('a,"x",never,"two\nlines"', 'c,z,3,"n"'), columns=FREE_NOTE)
    assert pq.read_table(found.rejects)["raw"].to_pylist() == ['a,"x",never,"two\\nlines"']


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("broken", [False, True])
def test_compressed_files_are_read_and_scanned(tmp_path: Path, ending: str, broken: bool) -> None:
    content = lines("a,x,1,n", *(["b,y"] if broken else []))
    packed = gzip.compress(content) if ending == ".gz" else zstandard.compress(content)
    found = stage(tmp_path, packed, name=f"log.csv{ending}")
    assert kept(found) == [("a", "x", 1, "n")]
    assert rejects(found) == ([(3, "too_few_fields")] if broken else [])


def test_dialects_are_taken_as_stated(tmp_path: Path) -> None:
    tabs = stage(tmp_path, b'a\tx\t1\tsay "hi"\n', delimiter="\t", quote="", header=False, names=HEADER)
    assert kept(tabs) == [("a", "x", 1, 'say "hi"')]
    colons = stage(tmp_path, b"a::x::1::n\nb::y\n", delimiter="::", quote="", header=False, names=HEADER)
    assert kept(colons) == [("a", "x", 1, "n")] and rejects(colons) == [(2, "too_few_fields")]
    escaped = stage(tmp_path, lines(r'a,x,1,"say \"hi\", you"', "b"), escape="\\")
    assert kept(escaped) == [("a", "x", 1, 'say "hi", you')]


def test_a_missing_column_names_file_column_and_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"log\.csv: no column 'time'; found 'user', 'item', 'when'"):
        stage(tmp_path, b"user,item,when,note\na,x,1,n\n")


def test_a_cell_that_does_not_parse_rejects_its_row_not_the_file(tmp_path: Path) -> None:
    content = lines(*[f"u{n},x,{n},n" for n in range(3000)], "a,x,2020-01-01,n")
    assert rejects(stage(tmp_path, content)) == [(3002, "bad_time")]


TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=8)
KEY = st.text(st.sampled_from("abcéß字'#;:. \""), min_size=1, max_size=6).filter(
    lambda key: key.strip() == key
)
ROW = st.tuples(KEY, KEY, st.integers(0, 10**9), TEXT)
BROKEN = st.sampled_from(
    [b"x,y", b"x,y,1,n,more", b'x,"y"z,1,n', b"x,\xff\xfe,1,n", b"lone", b"x,,,,,,,", b'"x"y"z",1,2,3']
)
UNCLOSED = st.sampled_from([b'x,"y,1,n', b'"x,y,1,n', b'x,y,1,"n'])


def written(row: tuple[Any, ...], quoting: int, end: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=quoting, lineterminator="\r\n").writerow(row)  # quotes both \r and \n
    return out.getvalue().removesuffix("\r\n").encode() + end.encode()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.one_of(ROW, BROKEN), max_size=12),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.booleans(),
)
def test_no_valid_row_is_lost_beside_broken_ones(
    tmp_path: Path, parts: list[Any], quoting: int, end: str, mark: bool
) -> None:
    content = b"\xef\xbb\xbf" if mark else b""
    content += written(HEADER, quoting, end)
    expected = []
    for part in parts:
        if isinstance(part, bytes):
            content += part + end.encode()
        else:
            content += written(part, quoting, end)
            expected.append(part)
    found = stage(tmp_path, content, columns=FREE_NOTE)
    assert [row[:3] for row in kept(found)] == [row[:3] for row in expected]
    assert found.read == len(parts)
    assert sum(found.reasons.values()) == len(parts) - len(expected) == len(rejects(found))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.one_of(st.tuples(KEY, KEY, st.integers(0, 9)), UNCLOSED, BROKEN), max_size=12),
    size=st.sampled_from([7, 40, 1 << 20]),
)
def test_a_quote_that_is_never_closed_takes_no_other_row_along(
    tmp_path: Path, parts: list[Any], size: int
) -> None:
    content, expected, line = b"user,item,time,note\n", [], 2
    for part in parts:
        row = part + b"\n" if isinstance(part, bytes) else written((*part, "n"), csv.QUOTE_MINIMAL, "\n")
        if not isinstance(part, bytes):
            expected.append((line, row))
        content += row
        line += 1
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    source = EventSource.model_validate({"path": "log.csv", "columns": COLUMNS})
    chunks = list(scan(path, source, 4, header=True, chunk=size))
    assert b"".join(chunk.clean for chunk in chunks) == b"".join(row for _, row in expected)
    assert [n for chunk in chunks for n in chunk.first.tolist()] == [n for n, _ in expected]
    assert sum(len(chunk.bad) for chunk in chunks) == len(parts) - len(expected)
