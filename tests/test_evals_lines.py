"""A file of JSON lines that many write to at once, and one whose disk is full."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from pathlib import Path

import pytest

from evals.lines import Lines, read_lines


async def test_lines_that_come_at_once_go_to_the_disk_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fdatasync

    def slow(file: int) -> None:
        time.sleep(0.02)
        real(file)
        synced.append(file)

    monkeypatch.setattr("evals.lines.os.fdatasync", slow)
    lines = Lines(tmp_path / "rows.jsonl")
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.001)
            beats += 1

    beating = asyncio.create_task(beat())
    await asyncio.gather(*(lines.append({"n": n}, {"n": n + 0.5}) for n in range(50)))
    beating.cancel()
    lines.close()
    found = [row["n"] for row in read_lines(tmp_path / "rows.jsonl")]
    assert found == sorted(found) and len(found) == 100
    assert len(synced) <= 3 and beats > 5


async def test_a_disk_that_takes_nothing_fails_every_line_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines(tmp_path / "rows.jsonl")
    await lines.append({"n": 0})

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("evals.lines.os.fdatasync", full)
    said = await asyncio.gather(*(lines.append({"n": n}) for n in range(1, 4)), return_exceptions=True)
    assert all(isinstance(one, OSError) for one in said)
    monkeypatch.undo()
    await lines.append({"n": 9})
    lines.close()
    assert [row["n"] for row in read_lines(tmp_path / "rows.jsonl")][-1] == 9


async def test_who_leaves_meanwhile_loses_nothing(tmp_path: Path) -> None:
    lines = Lines(tmp_path / "rows.jsonl")
    leaving = asyncio.create_task(lines.append({"n": 1}))
    await asyncio.sleep(0)
    leaving.cancel()
    await lines.append({"n": 2})
    lines.close()
    assert [row["n"] for row in read_lines(tmp_path / "rows.jsonl")] == [1, 2]
