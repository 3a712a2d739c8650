"""A person's rows leave runs, fits and probes, and the calls made for them; others' stay."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

import pytest

from evals.erase import forget
from recall.errors import DataError


def _write(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_one_person_s_rows_go_and_the_others_stay(tmp_path: Path) -> None:
    run = tmp_path / "evals" / "runs" / "first"
    results = _write(
        run / "results.jsonl",
        {"person": "p1", "arm": "a", "calls": ["k1", "shared"]},
        {"person": "p2", "arm": "a", "calls": ["k2", "shared"]},
        {"person": "p1", "arm": "b"},
    )
    calls = _write(run / "calls.jsonl", {"key": "k1"}, {"key": "k2"}, {"key": "shared"})
    fit = _write(
        tmp_path / "fits" / "rank-0.jsonl", {"asked": {}}, {"person": "p1", "n": 1}, {"person": "p2"}
    )
    probe = _write(
        tmp_path / "probes" / "one.jsonl",
        {"key": "p1 0", "said": {"person": "p1"}},
        {"key": "p2 0", "said": {"person": "p2"}},
    )
    (tmp_path / "evals" / "worlds" / "w").mkdir(parents=True)
    assert forget(tmp_path, ["p1", "p9"]) == 2 + 1 + 1 + 1
    assert [row["person"] for row in _read(results)] == ["p2"]
    assert [row["key"] for row in _read(calls)] == ["k2", "shared"]
    assert _read(fit) == [{"asked": {}}, {"person": "p2"}]
    assert [row["key"] for row in _read(probe)] == ["p2 0"]
    assert not (tmp_path / "evals" / "worlds").exists()
    assert forget(tmp_path, ["p1"]) == 0


def test_nothing_was_evaluated_yet(tmp_path: Path) -> None:
    assert forget(tmp_path, ["p1"]) == 0


def test_a_run_that_is_being_written_is_named(tmp_path: Path) -> None:
    results = _write(tmp_path / "evals" / "runs" / "now" / "results.jsonl", {"person": "p1"})
    with results.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="erase again"):
            forget(tmp_path, ["p1"])
    assert forget(tmp_path, ["p1"]) == 1
