"""What merging leaves out of the staged rows: where each stands, why, and how it looked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recall.cleaning import DUPLICATES, SET_ASIDE
from recall.errors import DataError
from recall.merge_stage import Stage
from recall.report import FileCount
from recall.sources.accounts import key_columns
from recall.sources.csv_header import csv_columns
from recall.sources.lines import redacted_row
from recall.sources.raw import format_of
from recall.sources.rejected import raw_lines, raw_rows
from recall.tables import REJECTS

PLACES = pa.schema([("file_order", pa.int64()), ("row", pa.int64())])
"""file_order counts the stages of one kind; row counts from 0."""
_NOTES = pa.schema([*PLACES, ("reason", pa.string()), ("detail", pa.string())])


class LeftOut:
    """Collects what is left out of the stages of one kind ('events' or 'items')."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = stages
        self._parts: list[pa.Table] = []

    def add(self, places: pa.Table, reason: str, detail: Any) -> None:
        """Rows (PLACES, once each) with one reason code; `detail` is a text for each, or one for all."""
        if not len(places):
            return
        count = len(places)
        detail = pa.repeat(detail, count) if isinstance(detail, str) else detail
        columns = [places["file_order"], places["row"], pa.repeat(reason, count), detail]
        self._parts.append(pa.table(columns, names=_NOTES.names).cast(_NOTES))

    def places(self) -> pa.Table:
        """PLACES of everything left out so far."""
        return self._whole().select(PLACES.names)

    def lines(self, order: pa.ChunkedArray, row: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
        """File names and lines of rows."""
        orders, rows = order.to_numpy(), row.to_numpy()
        lines = np.zeros(len(rows), np.int64)
        for number in np.unique(orders).tolist():
            mine = orders == number
            lines[mine] = self.stages[number].lines(rows[mine])
        names = [stage.file.name for stage in self.stages]
        return [names[number] for number in orders.tolist()], lines

    def counts(self) -> list[Counter[str]]:
        """Left-out rows of each stage by reason."""
        found: list[Counter[str]] = [Counter() for _ in self.stages]
        whole = self._whole()
        grouped = whole.group_by(["file_order", "reason"]).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            found[row["file_order"]][row["reason"]] = row["count_all"]
        return found

    def rejects(self, number: int, *, duplicates: bool) -> pa.Table:
        """recall.tables.REJECTS rows of stage `number`, by line; raw rows of duplicates only if asked for."""
        stage, whole = self.stages[number], self._whole()
        mine = whole.filter(pc.equal(whole["file_order"], number)).sort_by("row")
        if not len(mine):
            return REJECTS.empty_table()
        rows, reasons = mine["row"].to_numpy(), mine["reason"].to_pylist()
        shown = np.array([duplicates or reason not in DUPLICATES for reason in reasons])
        raw = raw_of(stage, rows[shown])
        count = len(mine)
        return pa.table(
            {
                "platform": [stage.file.platform] * count,
                "source": [stage.file.kind] * count,
                "file": [stage.file.name] * count,
                "row": stage.lines(rows),
                "verdict": [verdict(reason) for reason in reasons],
                "reason": reasons,
                "detail": mine["detail"],
                "raw": [raw.get(row) for row in rows.tolist()],
            },
            schema=REJECTS,
        )

    def _whole(self) -> pa.Table:
        return pa.concat_tables([_NOTES.empty_table(), *self._parts])


def verdict(reason: str) -> str:
    """'duplicate', 'set aside' or 'rejected'."""
    return "duplicate" if reason in DUPLICATES else "set aside" if reason in SET_ASIDE else "rejected"


def raw_of(stage: Stage, rows: np.ndarray) -> dict[int, str]:
    """Raw rows by their number in the stage, key columns redacted; the cleaned cells where the source was a
    database, or is gone."""
    if not len(rows):
        return {}
    source, path = stage.file.source, stage.file.path
    redact = frozenset(key_columns(source).values())
    numbers = rows.tolist()
    try:
        if path is None or not path.exists():
            return _cleaned(stage.rows, numbers)
        kind = format_of(path, source)
        if kind == "parquet":
            return {int(n): raw for n, raw in raw_rows(path, redact, {n: n for n in numbers}).items()}
        columns = csv_columns(path, source, stage.file.name) if kind == "csv" else ()
        first, last = stage.spans(rows)
        wanted = dict(zip(first.tolist(), last.tolist(), strict=True))
        found = raw_lines(path, source, columns, redact, wanted, ())
        return {n: found[line] for n, line in zip(numbers, first.tolist(), strict=True) if line in found}
    except (OSError, DataError, pa.ArrowException):  # it vanished since it was staged
        return _cleaned(stage.rows, numbers)


def _cleaned(path: Path, numbers: list[int]) -> dict[int, str]:
    table = pq.read_table(path).drop_columns(["reason"]).take(numbers)
    return {n: redacted_row(row, ()) for n, row in zip(numbers, table.to_pylist(), strict=True)}


def count_file(stage: Stage, extra: Counter[str]) -> FileCount:
    """What became of the stage's rows, `extra` being left out by merging."""
    reasons = Counter(stage.reasons) + extra
    return FileCount(
        platform=stage.file.platform,
        source=stage.file.kind,
        file=stage.file.name,
        read=stage.read,
        kept=stage.read - sum(reasons.values()),
        reasons=dict(sorted(reasons.items())),
        reused=stage.reused,
    )
