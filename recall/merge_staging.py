"""Reading and cleaning one source file into a stage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recall.cleaning import SET_ASIDE, clean_events
from recall.cleaning_details import detail
from recall.cleaning_items import clean_items
from recall.config import AccountSource, EventSource, ItemSource
from recall.errors import DataError
from recall.merge_engine import Engine
from recall.merge_stage import Stage, load_stage, staged_types
from recall.sources.accounts import clean_accounts, extract_keys, key_columns
from recall.sources.connection import literal
from recall.sources.csv_header import csv_columns
from recall.sources.csv_scan import Bad, Chunk, scan
from recall.sources.erased import REASON as ERASED
from recall.sources.erased import erase, names_erased
from recall.sources.files import Fingerprint, SourceFile
from recall.sources.lines import WITHHELD, count_lines
from recall.sources.raw import csv_view, format_of, jsonl_view, parquet_view, refused
from recall.sources.rejected import raw_lines, raw_rows
from recall.store.tombstones import Tombstones
from recall.tables import REJECTS


def make_stage(
    engine: Engine,
    folder: Path,
    file: SourceFile,
    fingerprint: Fingerprint,
    *,
    max_title: int,
    salt: bytes = b"",
    tombstones: Tombstones = Tombstones(),
) -> Stage:
    """Read and clean one file into `folder`. DataError when it can't be read or a column is missing.

    `salt` is what key columns are hashed with; their raw values stay out of everything that is written.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        stage = _Staging(engine, part, file, max_title, salt, tombstones).run(fingerprint)
        values = asdict(stage)
        del values["folder"], values["file"], values["reused"]
        (part / "stage.json").write_text(json.dumps(values))
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    found = load_stage(folder, file)
    assert found is not None
    return found


class _Staging:
    """The steps of staging one file."""

    def __init__(
        self,
        engine: Engine,
        part: Path,
        file: SourceFile,
        max_title: int,
        salt: bytes,
        tombstones: Tombstones,
    ) -> None:
        self.engine, self.backend, self.part, self.file = engine, engine.reader, part, file
        self.max_title, self.salt, self.tombstones = max_title, salt, tombstones
        self.redact = frozenset(key_columns(file.source).values())
        assert file.path is not None
        self.path: Path = file.path
        self.format = "parquet" if file.source.url else format_of(file.path, file.source)
        self.columns: tuple[str, ...] = ()
        self.first = 1
        """The line (or number) of the first row."""
        self.bad: list[Bad] = []
        self.spans: np.ndarray | None = None
        """int64 [2, rows]: first and last line of each row, where it is not simply one line each."""

    def run(self, fingerprint: Fingerprint) -> Stage:
        rows = self.part / "rows.parquet"
        if self.format == "parquet":
            self._write(parquet_view(self.backend, "raw_file", self.path))
        else:
            self._text()
        self._forget_erased(rows)
        summary = self.backend.raw_sql(
            f"SELECT reason, count(*), {'max(time)' if self.file.kind == 'events' else 'NULL'}, "
            f"{'count(*) FILTER (cut)' if self.file.kind == 'items' else '0'} "
            f"FROM read_parquet({literal(str(rows))}) GROUP BY reason"
        ).fetchall()
        reasons = {reason: count for reason, count, _, _ in summary if reason}
        good = [row for row in summary if row[0] is None]
        total = sum(row[1] for row in summary)
        if self.spans is not None:
            np.save(self.part / "lines.npy", self.spans)
        rejects = self._rejects(rows, reasons)
        pq.write_table(rejects, self.part / "rejects.parquet", compression="zstd")
        for problem in self.bad:
            reasons[problem.reason] = reasons.get(problem.reason, 0) + 1
        return Stage(
            self.part,
            self.file,
            fingerprint,
            read=total + len(self.bad),
            reasons=dict(sorted(reasons.items())),
            latest=good[0][2] if good else None,
            offset=self.first if self.spans is None else None,
            cut=good[0][3] if good else 0,
        )

    def _clean(self, raw: Any) -> Any:
        source = self.file.source
        if isinstance(source, EventSource):
            return clean_events(raw, source, self.file.platform, self.file.name)
        if isinstance(source, AccountSource):
            return clean_accounts(raw, source, self.file.platform, self.file.name)
        assert isinstance(source, ItemSource)
        return clean_items(raw, source, self.file.platform, self.file.name, self.max_title)

    def _write(self, raw: Any) -> None:
        with refused(self.file.name):
            schema = staged_types(self.file.kind)
            self.engine.clean(raw, self._clean, schema, self.part / "rows.parquet")
            source = self.file.source
            if isinstance(source, AccountSource | EventSource) and self.redact:
                keys = extract_keys(raw, source, self.salt)
                pq.write_table(keys, self.part / "keys.parquet", compression="zstd")

    def _forget_erased(self, rows: Path) -> None:
        erased = erase(rows, self.file.platform, self.tombstones)
        if erased and self.redact:
            path = self.part / "keys.parquet"
            keys = pq.read_table(path)
            gone = pc.is_in(keys["user"], value_set=pa.array(sorted(erased), pa.string()))
            pq.write_table(keys.filter(pc.invert(gone)), path, compression="zstd")

    def _text(self) -> None:
        """CSV or JSON lines: at full speed if every row is sound, else through the scanner."""
        source = self.file.source
        if self.format == "csv":
            self.columns = csv_columns(self.path, source, self.file.name)
            self.first = 2 if source.header else 1
        if source.encoding == "utf-8":
            view = self._view(self.path, header=source.header)
            self._clean(view)  # a missing column or a wrong filter is no matter of broken rows
            try:
                self._write(view)
                if self._complete():
                    return
            except DataError:
                pass  # the scanner finds what is broken
        clean_copy = self._repaired()
        self._write(self._view(clean_copy, header=False))
        clean_copy.unlink()
        assert self.spans is not None
        if self._count() != self.spans.shape[1]:
            raise DataError(f"{self.file.name}: {self.spans.shape[1]} sound rows, but {self._count()} read")
        self._simplify()

    def _count(self) -> int:
        return int(pq.ParquetFile(self.part / "rows.parquet").metadata.num_rows)

    def _complete(self) -> bool:
        """Whether DuckDB read every record: as many rows as lines, or as many as the scanner finds."""
        if count_lines(self.path) == self._count() + self.first - 1:
            return True
        chunks = list(self._scan())
        if any(chunk.bad for chunk in chunks) or sum(len(c.first) for c in chunks) != self._count():
            return False
        self.spans = _spans(chunks)
        self._simplify()
        return True

    def _simplify(self) -> None:
        """No table of lines where row r simply stands on line r + first."""
        if self.spans is not None and np.array_equal(
            self.spans[0], np.arange(self.spans.shape[1]) + self.first
        ):
            self.spans = None

    def _view(self, path: Path, *, header: bool) -> Any:
        source = self.file.source
        if self.format == "jsonl":
            return jsonl_view(self.backend, "raw_file", path, source)
        return csv_view(self.backend, "raw_file", path, self.columns, source, header=header)

    def _repaired(self) -> Path:
        """A copy of the file with its sound records only; notes the broken ones and everyone's lines."""
        clean = self.part / ("sound.csv" if self.format == "csv" else "sound.jsonl")
        found: list[Chunk] = []
        with clean.open("wb") as out:
            for chunk in self._scan():
                out.write(chunk.clean)
                found.append(replace(chunk, clean=b""))
                self.bad.extend(chunk.bad)
        self.spans = _spans(found)
        return clean

    def _scan(self) -> Iterator[Chunk]:
        csv = self.format == "csv"
        source = self.file.source if csv else self.file.source.model_copy(update={"quote": ""})
        return scan(self.path, source, len(self.columns), header=csv and source.header)

    def _rejects(self, rows: Path, reasons: Mapping[str, int]) -> pa.Table:
        found: list[tuple[int, int, str]] = [(bad.first, bad.last, bad.reason) for bad in self.bad]
        numbers: dict[int, int] = {}
        if reasons:
            marked = self.backend.raw_sql(
                "SELECT file_row_number, reason FROM "
                f"read_parquet({literal(str(rows))}, file_row_number = true) WHERE reason IS NOT NULL"
            ).fetchall()
            for number, reason in marked:
                first = last = number + self.first
                if self.spans is not None:
                    first, last = self.spans[:, number].tolist()
                numbers[first] = number
                found.append((first, last, reason))
        wanted = {first: last for first, last, reason in found if reason != ERASED}
        if self.format == "parquet":
            raw = raw_rows(
                self.path, self.redact, {n: first for first, n in numbers.items() if first in wanted}
            )
        else:
            broken = {bad.first for bad in self.bad}
            raw = raw_lines(self.path, self.file.source, self.columns, self.redact, wanted, broken)
        for bad in self.bad:
            if names_erased(raw.get(bad.first) or "", self.file.platform, self.tombstones):
                raw[bad.first] = WITHHELD
        found.sort()
        source = self.file.source
        details = {
            reason: detail(reason, source, len(self.columns)) for reason in {code for _, _, code in found}
        }
        return pa.table(
            {
                "platform": [self.file.platform] * len(found),
                "source": [self.file.kind] * len(found),
                "file": [self.file.name] * len(found),
                "row": [first for first, _, _ in found],
                "verdict": ["set aside" if reason in SET_ASIDE else "rejected" for _, _, reason in found],
                "reason": [reason for _, _, reason in found],
                "detail": [details[reason] for _, _, reason in found],
                "raw": [raw.get(first) for first, _, _ in found],
            },
            schema=REJECTS,
        )


def _spans(chunks: list[Chunk]) -> np.ndarray:
    """int64 [2, rows]: first and last line of each record."""
    parts = [np.stack([chunk.first, chunk.last]) for chunk in chunks]
    return np.concatenate([np.empty((2, 0), np.int64), *parts], axis=1)
