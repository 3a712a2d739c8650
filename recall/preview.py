"""What an ingest would make of the sources, tried on the beginning of each; nothing is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from recall.config import AccountSource, EventSource, ItemSource, PlatformConfig, Source
from recall.errors import DataError
from recall.ids import MICRO
from recall.merge import Inputs
from recall.merge_engine import Engine, open_engine
from recall.merge_stage import Stage
from recall.merge_staging import make_stage
from recall.report_svg import moment
from recall.sources.accounts import key_columns
from recall.sources.beginning import Beginning, beginning
from recall.sources.csv_header import csv_columns
from recall.sources.files import Fingerprint, SourceFile, expand
from recall.sources.raw import format_of, wanted_columns
from recall.sources.rejected import raw_cells

ROWS = 2_000
"""Rows of each source that are tried."""
_SHOWN = 3
_NOT_SHOWN = frozenset({"platform", "event", "reason", "cut"})


@dataclass(frozen=True, slots=True)
class Became:
    """One attribute of the first usable rows."""

    attribute: str
    column: str
    """Of the source; '' for what is computed or constant."""
    was: tuple[str, ...]
    became: tuple[str, ...]
    filled: float
    """Share of the usable rows that have it."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why rows would be left out, with the first of them."""

    code: str
    rows: int
    line: int
    raw: str | None


@dataclass(frozen=True, slots=True)
class Preview:
    """One file, table or query."""

    platform: str
    kind: str
    file: str
    read: int
    whole: bool
    """Whether that was all of it."""
    kept: int
    became: tuple[Became, ...]
    reasons: tuple[Reason, ...]
    unused: tuple[str, ...]
    """Columns of the source that nothing is made of."""
    problem: str | None = None
    """Why it can't be read at all."""


def preview(
    inputs: Inputs, *, rows: int = ROWS, progress: Callable[[str], None] = lambda step: None
) -> list[Preview]:
    """Try every source. What can't be read is a Preview with its problem, so that one run shows all."""
    config = inputs.merge.model_copy(update={"engine": "duckdb"})
    found: list[Preview] = []
    with (
        tempfile.TemporaryDirectory(prefix="whyrec-check-") as folder,
        open_engine(config, Path(folder) / "spill") as engine,
    ):
        for platform, one in inputs.platforms.items():
            for file in _files(inputs.root, platform, one):
                if isinstance(file, Preview):
                    found.append(file)
                    continue
                progress(f"{platform}: {file.name}")
                found.append(_try(engine, file, inputs, Path(folder), rows))
    return found


def _files(root: Path, name: str, platform: PlatformConfig) -> list[SourceFile | Preview]:
    """The platform's files, and the sections that name none that is there."""
    found: list[SourceFile | Preview] = []
    for kind in ("accounts", "events", "items"):
        for at, source in enumerate(getattr(platform, kind)):
            try:
                one = expand(root, {name: platform.model_copy(update=_only(kind, source))})
            except DataError as error:
                where = ", ".join(source.paths)
                found.append(_failed(name, kind, where, str(error).replace(f"{kind}[0]", f"{kind}[{at}]")))
                continue
            found += one
    return found


def _only(kind: str, source: Source) -> Mapping[str, tuple[Source, ...]]:
    return {each: (source,) if each == kind else () for each in ("accounts", "events", "items")}


def _failed(platform: str, kind: str, file: str, problem: str) -> Preview:
    return Preview(platform, kind, file, 0, False, 0, (), (), (), problem)


def _try(engine: Engine, file: SourceFile, inputs: Inputs, folder: Path, rows: int) -> Preview:
    try:
        sample = beginning(file, inputs.root, folder, rows)
        stage = make_stage(
            engine,
            folder / f"stage-{file.key}",
            sample.file,
            Fingerprint(0, 0, ""),
            max_title=inputs.merge.max_title,
            salt=inputs.salt,
            tombstones=inputs.tombstones,
        )
        return _described(sample, stage)
    except DataError as error:
        return _failed(file.platform, file.kind, file.name, str(error))


def _described(sample: Beginning, stage: Stage) -> Preview:
    file, source = sample.file, sample.file.source
    assert file.path is not None
    rows = pq.read_table(stage.rows)
    usable = rows.filter(pc.is_null(rows["reason"]))
    format = "parquet" if source.url else format_of(file.path, source)
    columns = csv_columns(file.path, source, file.name) if format == "csv" else ()
    if format == "parquet":
        columns = tuple(pq.read_schema(file.path).names)
    good = pc.indices_nonzero(pc.is_null(rows["reason"])).to_numpy()[:_SHOWN]
    hidden = set(key_columns(source).values())
    cells = [
        {name: "***" if name in hidden else value for name, value in row.items()}
        for row in raw_cells(file.path, source, format, columns, stage.lines(good).tolist())
    ]
    became = [
        _became(name, column, cells, usable)
        for name, column in _attributes(source)
        if name in rows.column_names
    ]
    if hidden:
        keys = pq.read_table(stage.keys)
        became += [_hashed(kind, column, keys) for kind, column in key_columns(source).items()]
    rejected = pq.read_table(stage.rejects).to_pylist()
    if not sample.whole and rejected and rejected[-1]["reason"] == "broken_quotes":
        rejected.pop()  # the sample may end inside a record of several lines
    firsts = {row["reason"]: row for row in reversed(rejected)}
    counts = {code: sum(row["reason"] == code for row in rejected) for code in firsts}
    reasons = [
        Reason(code, count, firsts[code]["row"], firsts[code]["raw"])
        for code, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    used = set(wanted_columns(source))
    return Preview(
        file.platform,
        file.kind,
        file.name,
        len(usable) + sum(counts.values()),
        sample.whole,
        len(usable),
        tuple(became),
        tuple(reasons),
        tuple(column for column in columns if column not in used),
    )


def _attributes(source: Source) -> list[tuple[str, str]]:
    """(column of the staged rows, column of the source), what is computed last."""
    if isinstance(source, EventSource):
        columns = source.columns
        given = {"user": columns.user, "listing": columns.item, "time": columns.time}
        given |= {"type": columns.type or "", "value": columns.value or "", "polarity": "", "weight": ""}
        return list(given.items())
    if isinstance(source, AccountSource):
        return [("user", source.columns.user)]
    assert isinstance(source, ItemSource)
    named = source.columns.model_dump(exclude={"external_ids"}, exclude_none=True)
    found = [("listing", str(named.pop("item"))), *((name, str(column)) for name, column in named.items())]
    if source.title_year and "year" not in named:
        found.append(("year", source.columns.title or ""))
    if source.flags and "categories" not in named:
        found.append(("categories", f"{len(source.flags)} flags"))
    found += [(name, "") for name in source.constants if name not in named]
    ids = source.columns.external_ids
    return [*found, *([("external_ids", ", ".join(ids.values()))] if ids else [])]


def _became(name: str, column: str, cells: Sequence[Mapping[str, str]], usable: Any) -> Became:
    values = usable[name]
    share = 1 - values.null_count / len(values) if len(values) else 0.0
    if values.type.__class__.__name__.endswith("ListType") and len(values):
        share = pc.sum(pc.greater(pc.fill_null(pc.list_value_length(values), 0), 0)).as_py() / len(values)
    was = tuple(row.get(column, "") for row in cells) if column else ()
    return Became(
        name, column, was, tuple(_shown(name, v) for v in values.slice(0, _SHOWN).to_pylist()), share
    )


def _hashed(kind: str, column: str, keys: Any) -> Became:
    mine = pc.starts_with(keys["key"], f"{kind}:")
    count = pc.sum(mine).as_py() or 0
    return Became(f"key {kind}", column, (), (f"{count} hashed, {len(keys)} in all",), 1.0)


def _shown(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in ("time", "available_from", "available_to"):
        return moment(value)
    if name == "weight":
        return f"{value / MICRO:g}"
    if name == "polarity":
        return {1: "like", 0: "neutral", -1: "dislike"}[value]
    if isinstance(value, list):
        return " | ".join(str(one).replace("\x1f", "=") for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
