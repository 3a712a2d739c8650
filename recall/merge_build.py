"""The tables of one build, from staged files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recall import merge_catalogue as catalogue
from recall import merge_events as steps
from recall.config import MergeConfig, PlatformConfig
from recall.merge_engine import Engine
from recall.merge_limits import check_rejects
from recall.merge_rejects import LeftOut, count_file
from recall.merge_stage import Stage
from recall.report import FileCount
from recall.tables import REJECTS, SCHEMAS

Linker = Callable[[pa.Table, pa.Table], pa.Table]
"""Accounts and listings to recall.tables.LINKS rows."""
Groups = Callable[[pa.Table], pa.Table | None]
"""Links to (person, platform, group) of the persons who are not all of group 0."""
Tick = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tables:
    """What `write` wrote beside the Parquet files."""

    files: tuple[FileCount, ...]
    rows: Mapping[str, int]
    reference_time: int


class Build:
    """Writes a build's tables into `part` on an engine."""

    def __init__(
        self,
        engine: Engine,
        part: Path,
        stages: Sequence[Stage],
        platforms: Mapping[str, PlatformConfig],
        config: MergeConfig,
        latest: int,
    ) -> None:
        self.engine, self.part, self.stages = engine, part, stages
        self.platforms, self.config, self.latest = platforms, config, latest
        self.left_out = {
            kind: LeftOut([stage for stage in stages if stage.file.kind == kind])
            for kind in ("events", "items")
        }

    def write(self, linker: Linker, groups: Groups, tick: Tick) -> Tables:
        """All tables of recall/tables.py. TooManyRejects before anything is merged."""
        tick("duplicates")
        staged = self.engine.staged("events", self.left_out["events"].stages)
        self._future(staged)
        check_rejects(self.stages, self.config.max_reject_share, self.left_out["events"])
        rows = steps.usable(staged, self.latest)
        self._copies(rows)
        once = self._without(rows)
        accounts = self.engine.keep("accounts", steps.accounts(once))
        seen = self.engine.keep("seen", steps.listings_seen(once))
        every = self.engine.keep("every", catalogue.catalogue(self._catalogue(), seen))
        tick("links")
        found = linker(self.engine.fetch(accounts), self.engine.fetch(every))
        pq.write_table(found, self.part / "links.parquet", compression="zstd")
        # Kept, so that the engine knows its size: over a guess DuckDB joined accounts with listings first.
        links = self.engine.keep("links", self.engine.table(found))
        tick("events")
        self._bots(once, accounts, links)
        self._near(self._without(rows), links)
        self._write("events", steps.events(steps.linked(self._without(rows), links)))
        events = self.engine.read(self.part / "events.parquet")
        reference = self.config.reference_time
        if reference is None:
            reference = events.time.max().to_pyarrow().as_py() or 0
        tick("interactions")
        apart = groups(found)
        table = self.engine.table(apart) if apart is not None and len(apart) else None
        self._write(
            "interactions",
            steps.interactions(events, table, reference, self.config.half_life_days, self.config.cap),
        )
        tick("catalogue")
        self._write("people", steps.people(events))
        joined = self.engine.keep("joined", catalogue.listings(every, links))
        self._write("listings", catalogue.with_map(joined).drop("first_seen"))
        self._write("items", catalogue.items(joined))
        tick("rejects")
        files = self._rejects()
        sizes = {name: pq.ParquetFile(self.part / f"{name}.parquet").metadata.num_rows for name in SCHEMAS}
        return Tables(files, sizes, reference)

    def _future(self, staged: Any) -> None:
        """Leave out what lies after the clock."""
        if any(stage.latest is not None and stage.latest > self.latest for stage in self.stages):
            late = self.engine.fetch(steps.future(staged, self.latest).select(*steps.PLACE, "time"))
            moments = pc.strftime(late["time"].cast(pa.timestamp("s")), "%Y-%m-%dT%H:%M:%SZ")
            detail = pc.binary_join_element_wise(moments, "is after the time of the ingest", " ")
            self.left_out["events"].add(late, "time_in_future", detail)

    def _copies(self, rows: Any) -> None:
        """Leave out every event that stands in the files before; one platform at a time."""
        left_out = self.left_out["events"]
        for platform in sorted({stage.file.platform for stage in left_out.stages}):
            mine = rows.filter(rows.platform == platform)
            mine = mine.mutate(h=self.engine.hashed(*steps.contents(mine)))
            twice = self.engine.keep("twice", steps.repeated(mine))
            found = self.engine.fetch(steps.copies(mine, twice))
            if len(found):
                names, lines = left_out.lines(found["first_order"], found["first_row"])
                at = pa.array(lines).cast(pa.string())
                detail = pc.binary_join_element_wise("as", pa.array(names), "row", at, " ")
                left_out.add(found, "duplicate", detail)

    def _bots(self, once: Any, accounts: Any, links: Any) -> None:
        """Leave out everything that persons over their platform's events_per_day did there."""
        names = sorted(self.platforms)
        limits = pa.table(
            {
                "platform": pa.array(names, pa.string()),
                "events_per_day": pa.array([self.platforms[n].events_per_day for n in names], pa.int64()),
            }
        )
        bots = self.engine.keep("bots", steps.bots(once, accounts, links, self.engine.table(limits)))
        if bots.count().to_pyarrow().as_py():
            theirs = once.inner_join(bots, ["platform", "user"]).select(*steps.PLACE, "most")
            theirs = self.engine.fetch(theirs)
            most = theirs["most"].cast(pa.string())
            detail = pc.binary_join_element_wise(most, "events of this person on one UTC day", " ")
            self.left_out["events"].add(theirs, "bot", detail)

    def _near(self, rows: Any, links: Any) -> None:
        """Leave out events that a like one follows within near_seconds."""
        if not self.config.near_seconds:
            return
        rows = steps.linked(rows, links)
        rows = rows.mutate(h=self.engine.hashed(rows.person, rows.item, rows.type))
        twice = self.engine.keep("twice", steps.repeated(rows))
        near = self.engine.fetch(steps.near_duplicates(rows, twice, self.config.near_seconds))
        moments = pc.strftime(near["following"].cast(pa.timestamp("s")), "%Y-%m-%dT%H:%M:%SZ")
        detail = pc.binary_join_element_wise("the same again at", moments, " ")
        self.left_out["events"].add(near, "near_duplicate", detail)

    def _catalogue(self) -> Any:
        """The first row of every listing in the item sources."""
        left_out = self.left_out["items"]
        rows = catalogue.numbered_copies(self.engine.staged("items", left_out.stages))
        rows = self.engine.keep("item_rows", rows)
        found = self.engine.fetch(rows.filter(rows.copy > 0).select(*steps.PLACE))
        left_out.add(found, "duplicate", "a listing of an earlier row")
        return rows.filter(rows.copy == 0)

    def _without(self, rows: Any) -> Any:
        """`rows` without what was left out so far."""
        places = self.left_out["events"].places()
        return rows.anti_join(self.engine.table(places), list(steps.PLACE)) if len(places) else rows

    def _write(self, name: str, expression: Any) -> None:
        self.engine.write(self.part / f"{name}.parquet", expression, SCHEMAS[name])

    def _rejects(self) -> tuple[FileCount, ...]:
        """Write rejects.parquet, file by file, and count every file."""
        merged = {
            stage.folder: (left_out, number, counts)
            for left_out in self.left_out.values()
            for number, (stage, counts) in enumerate(zip(left_out.stages, left_out.counts(), strict=True))
        }
        files = []
        with pq.ParquetWriter(self.part / "rejects.parquet", REJECTS, compression="zstd") as writer:
            for stage in self.stages:
                writer.write_table(pq.read_table(stage.rejects, schema=REJECTS))
                counts: Counter[str] = Counter()
                if stage.folder in merged:
                    left_out, number, counts = merged[stage.folder]
                    writer.write_table(left_out.rejects(number, duplicates=self.config.raw_duplicates))
                files.append(count_file(stage, counts))
        return tuple(files)
