"""The merge bench: peers that yield the same rows, in processes of their own."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.bench.merge import agreement, run
from evals.bench.merge_world import generated


@pytest.mark.long
def test_both_scripts_yield_the_rows_that_ingest_yields(tmp_path: Path) -> None:
    found = run(quick=True, cache=tmp_path, workspace=None, progress=lambda text: None, rows=60_000)
    agree = {figure.peer: figure.agree for figure in found if figure.agree is not None}
    assert agree == {"duckdb": 1.0, "polars": 1.0}
    merged = [figure for figure in found if figure.name == "merge of 60,000 rows"]
    assert {figure.unit for figure in merged} == {"CPU s", "GB peak", "wall s"}
    assert all(figure.value > 0 for figure in merged)


def test_agreement_counts_rows_that_differ_are_missing_or_stand_elsewhere(tmp_path: Path) -> None:
    for name, events in (("one", [1, 2, 3, 4]), ("other", [1, 3, 2])):
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"n": events}), tmp_path / name / "events.parquet")
        pq.write_table(pa.table({"n": [7, None, None]}), tmp_path / name / "interactions.parquet")
    assert agreement(tmp_path / "one", tmp_path / "one") == 1.0
    assert agreement(tmp_path / "one", tmp_path / "other") == pytest.approx(4 / 7)


def test_a_generated_world_is_the_same_every_time(tmp_path: Path) -> None:
    one, other = (generated(3_000, tmp_path / name) for name in ("a", "b"))
    files = sorted(path.relative_to(one.folder) for path in one.folder.rglob("*.csv"))
    assert len(files) == 7 and all(
        (one.folder / file).read_bytes() == (other.folder / file).read_bytes() for file in files
    )
    assert pq.read_table(one.folder / "links.parquet").equals(pq.read_table(other.folder / "links.parquet"))
