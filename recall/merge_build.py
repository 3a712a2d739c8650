"""The tables of one build, from staged files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recall import merge_catalogue as catalogue
from recall import merge_events as steps
from recall.cleaning import DUPLICATES, SET_ASIDE, STAGED
from recall.cleaning_items import STAGED as STAGED_ITEMS
from recall.config import MergeConfig, PlatformConfig
from recall.merge_stage import Stage
from recall.report import FileCount
from recall.sources.connection import identifier, literal
from recall.tables import REJECTS, SCHEMAS

Linker = Callable[[pa.Table, pa.Table], pa.Table]
"""Accounts and listings to recall.tables.LINKS rows."""
Groups = Callable[[pa.Table], pa.Table | None]
"""Links to (person, platform, group) of the persons who are not all of group 0."""
Tick = Callable[[str], None]

_SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.float64(): "DOUBLE",
    pa.float32(): "FLOAT",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.int8(): "TINYINT",
}
_LEFT_OUT = pa.schema([("file_order", pa.int64()), ("row", pa.int64()), ("reason", pa.string())])


@dataclass(frozen=True, slots=True)
class Tables:
    """What `write` wrote beside the Parquet files."""

    files: tuple[FileCount, ...]
    rows: Mapping[str, int]
    reference_time: int


class Build:
    """Writes a build's tables into `part` on an Ibis `backend`."""

    def __init__(
        self,
        backend: Any,
        part: Path,
        stages: Sequence[Stage],
        platforms: Mapping[str, PlatformConfig],
        config: MergeConfig,
        latest: int,
    ) -> None:
        self.backend, self.part, self.stages = backend, part, stages
        self.platforms, self.config, self.latest = platforms, config, latest
        self.left_out: list[pa.Table] = []

    def write(self, linker: Linker, groups: Groups, tick: Tick) -> Tables:
        """All tables of recall/tables.py."""
        tick("duplicates")
        rows, numbered = self._events()
        listed, counts = self._catalogue(), steps.accounts(rows)
        counts = self._keep("accounts", counts)
        seen = self._keep("seen", steps.listings_seen(rows))
        every = self._keep("every", catalogue.catalogue(listed, seen))
        tick("links")
        found = linker(counts.to_pyarrow(), every.to_pyarrow())
        pq.write_table(found, self.part / "links.parquet", compression="zstd")
        links = self.backend.read_parquet(self.part / "links.parquet")
        tick("events")
        self._write("events", steps.events(self._admitted(rows, numbered, counts, links)))
        events = self.backend.read_parquet(self.part / "events.parquet")
        newest = events.time.max().to_pyarrow().as_py()
        reference = self.config.reference_time
        if reference is None:
            reference = newest or 0
        tick("interactions")
        apart = groups(found)
        table = ibis.memtable(apart) if apart is not None and len(apart) else None
        self._write(
            "interactions",
            steps.interactions(events, table, reference, self.config.half_life_days, self.config.cap),
        )
        tick("catalogue")
        self._write("people", steps.people(events))
        joined = self._keep("joined", catalogue.listings(every, links))
        self._write("listings", catalogue.with_map(joined).drop("first_seen"))
        self._write("items", catalogue.items(joined))
        tick("rejects")
        files = self._rejects()
        names = ("events", "interactions", "items", "listings", "people", "links", "rejects")
        sizes = {name: pq.ParquetFile(self.part / f"{name}.parquet").metadata.num_rows for name in names}
        return Tables(files, sizes, reference)

    def _events(self) -> tuple[Any, Any]:
        """Usable rows without copies; and the same rows with their place in the files."""
        stages = self._of("events")
        staged = self._staged("events", stages)
        late = [order for order, stage in stages if stage.latest is not None and stage.latest > self.latest]
        numbered = self._numbered("events", stages)
        if late:
            future = numbered.filter(numbered.reason.isnull() & (numbered.time > self.latest))
            self._leave_out(future, "time_in_future")
        rows = steps.usable(staged, self.latest)
        numbered = steps.usable(numbered, self.latest)
        doubtful = []
        for platform in sorted({stage.file.platform for _, stage in stages}):
            doubtful.append(
                self._keep(f"twice_{platform}", steps.repeated(rows.filter(rows.platform == platform)))
            )
        events = doubtful[0].union(*doubtful[1:]) if len(doubtful) > 1 else doubtful[0] if doubtful else None
        if events is None or not events.count().to_pyarrow().as_py():
            return rows, numbered
        copies = self._keep("copies", steps.ranked_copies(numbered, events))
        self._leave_out(copies.filter(copies.copy > 0), "duplicate")
        first = copies.filter(copies.copy == 0)
        once = rows.anti_join(copies, "event")
        return once.union(first.select(once.columns)), self._without(numbered)

    def _admitted(self, rows: Any, numbered: Any, counts: Any, links: Any) -> Any:
        """Linked rows without bots and near duplicates."""
        limits = ibis.memtable(
            {
                "platform": sorted(self.platforms),
                "events_per_day": [self.platforms[name].events_per_day for name in sorted(self.platforms)],
            },
            schema={"platform": "string", "events_per_day": "int64"},
        )
        bots = self._keep("bots", steps.bots(rows, counts, links, limits))
        if bots.count().to_pyarrow().as_py():
            self._leave_out(numbered.semi_join(bots, ["platform", "user"]), "bot")
            rows = rows.anti_join(bots, ["platform", "user"])
        rows = steps.linked(rows, links)
        if self.config.near_seconds:
            near = self._keep("near", steps.near_duplicates(rows, self.config.near_seconds))
            if near.count().to_pyarrow().as_py():
                self._leave_out(self._without(numbered).semi_join(near, "event"), "near_duplicate")
                rows = rows.anti_join(near, "event")
        return rows

    def _catalogue(self) -> Any:
        """The first row of every listing in the item sources."""
        stages = self._of("items")
        copies = self._keep("item_rows", catalogue.numbered_copies(self._numbered("items", stages)))
        self._leave_out(copies.filter(copies.copy > 0), "duplicate")
        return copies.filter(copies.copy == 0)

    def _of(self, kind: str) -> list[tuple[int, Stage]]:
        return [(order, stage) for order, stage in enumerate(self.stages) if stage.file.kind == kind]

    def _staged(self, kind: str, stages: Sequence[tuple[int, Stage]]) -> Any:
        return self._view(f"staged_{kind}", f"SELECT * FROM {_scan(kind, stages)}")

    def _numbered(self, kind: str, stages: Sequence[tuple[int, Stage]]) -> Any:
        orders = ", ".join(f"({literal(str(stage.rows))}, {order})" for order, stage in stages) or "('', 0)"
        return self._view(
            f"numbered_{kind}",
            "SELECT rows.* EXCLUDE (filename, file_row_number), file_order::BIGINT AS file_order, "
            f"file_row_number::BIGINT AS row FROM {_scan(kind, stages, numbered=True)} AS rows "
            f"JOIN (VALUES {orders}) AS files(path, file_order) ON rows.filename = files.path",
        )

    def _view(self, name: str, select: str) -> Any:
        self.backend.raw_sql(f"CREATE OR REPLACE TEMP VIEW {identifier(name)} AS {select}")
        return self.backend.table(name)

    def _keep(self, name: str, expression: Any) -> Any:
        """The expression's rows, computed once."""
        return self.backend.create_table(f"kept_{name}", expression, temp=True)

    def _write(self, name: str, expression: Any) -> None:
        """Cast to the table's types where Ibis believes them and DuckDB does not (a whole-number literal
        is 32 bits there, a sum 128), and write; the order of the rows is kept."""
        view = self.backend.create_view(f"out_{name}", expression)
        cells = ", ".join(
            f"CAST({identifier(field.name)} AS {_sql_type(field.type)}) AS {identifier(field.name)}"
            for field in SCHEMAS[name]
        )
        self.backend.raw_sql(
            f"COPY (SELECT {cells} FROM {identifier(view.get_name())}) "
            f"TO {literal(str(self.part / f'{name}.parquet'))} (FORMAT parquet, COMPRESSION zstd)"
        )

    def _leave_out(self, rows: Any, reason: str) -> None:
        found = rows.select("file_order", "row", reason=ibis.literal(reason)).to_pyarrow()
        if len(found):
            self.left_out.append(found.cast(_LEFT_OUT))

    def _without(self, numbered: Any) -> Any:
        """`numbered` without what was left out so far."""
        if not self.left_out:
            return numbered
        gone = ibis.memtable(pa.concat_tables(self.left_out).select(["file_order", "row"]))
        return numbered.anti_join(gone, ["file_order", "row"])

    def _rejects(self) -> tuple[FileCount, ...]:
        """Write rejects.parquet and count every file."""
        merged = pa.concat_tables([_LEFT_OUT.empty_table(), *self.left_out])
        order, row = merged["file_order"].to_numpy(), merged["row"].to_numpy()
        reason = np.array(merged["reason"].to_pylist(), dtype=object)
        extra: dict[int, Counter[str]] = defaultdict(Counter)
        with pq.ParquetWriter(self.part / "rejects.parquet", REJECTS, compression="zstd") as writer:
            for number, stage in enumerate(self.stages):
                writer.write_table(pq.read_table(stage.rejects, schema=REJECTS))
                mine = np.flatnonzero(order == number)
                if len(mine):
                    extra[number] = Counter(reason[mine].tolist())
                    writer.write_table(_left_out_rows(stage, row[mine], reason[mine]))
        return tuple(_count(stage, extra[number]) for number, stage in enumerate(self.stages))


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_map(kind):
        return "MAP(VARCHAR, VARCHAR)"
    if pa.types.is_list(kind):
        return "VARCHAR[]"
    return _SQL_TYPES[kind]


def _scan(kind: str, stages: Sequence[tuple[int, Stage]], *, numbered: bool = False) -> str:
    extra = ", filename = true, file_row_number = true" if numbered else ""
    if not stages:
        return _nothing(kind)
    paths = ", ".join(literal(str(stage.rows)) for _, stage in stages)
    return f"read_parquet([{paths}]{extra})"


def _nothing(kind: str) -> str:
    """No row of the staged columns: DuckDB reads no empty list of files."""
    types = {"string": "VARCHAR", "float64": "DOUBLE", "int64": "BIGINT", "int32": "INTEGER"}
    types |= {"int8": "TINYINT", "boolean": "BOOLEAN", "array<string>": "VARCHAR[]"}
    columns = STAGED if kind == "events" else STAGED_ITEMS
    cells = [f"NULL::{types[dtype]} AS {identifier(name)}" for name, dtype in columns.items()]
    cells += ["NULL::VARCHAR AS filename", "NULL::BIGINT AS file_row_number"]
    return f"(SELECT {', '.join(cells)} WHERE false)"


def _left_out_rows(stage: Stage, row: np.ndarray, reason: np.ndarray) -> pa.Table:
    lines = stage.lines(row)
    ordered = np.argsort(lines, kind="stable")
    count = len(row)
    reasons = reason[ordered].tolist()
    return pa.table(
        {
            "platform": [stage.file.platform] * count,
            "source": [stage.file.kind] * count,
            "file": [stage.file.name] * count,
            "row": lines[ordered],
            "verdict": [_verdict(code) for code in reasons],
            "reason": reasons,
            "detail": pa.nulls(count, pa.string()),
            "raw": pa.nulls(count, pa.string()),
        },
        schema=REJECTS,
    )


def _verdict(reason: str) -> str:
    return "duplicate" if reason in DUPLICATES else "set aside" if reason in SET_ASIDE else "rejected"


def _count(stage: Stage, extra: Counter[str]) -> FileCount:
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
