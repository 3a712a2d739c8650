"""One source file → one staged file of cleaned rows, kept until the source or its configuration changes.

A stage is a folder <workspace>/staged/KEY-HASH with rows.parquet (cleaned rows in the source's order, the
unusable ones marked), rejects.parquet (recall/tables.REJECTS) and stage.json, which is written last: a
folder without it is not there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from recall.cleaning import STAGED as EVENT_COLUMNS
from recall.cleaning_items import STAGED as ITEM_COLUMNS
from recall.sources.accounts import STAGED as ACCOUNT_COLUMNS
from recall.sources.files import Fingerprint, SourceFile

VERSION = 3
"""Raised when staged rows change their meaning, so that old stages are not reused."""
_STAGED = {"events": EVENT_COLUMNS, "items": ITEM_COLUMNS, "accounts": ACCOUNT_COLUMNS}


def staged_types(kind: str) -> pa.Schema:
    """Of rows.parquet of a stage of this kind, which is named as in recall.sources.files.KINDS."""
    types: pa.Schema = ibis.schema(_STAGED[kind]).to_pyarrow()
    return types


@dataclass(frozen=True, slots=True)
class Stage:
    """What is known of a staged file without opening it."""

    folder: Path
    file: SourceFile
    fingerprint: Fingerprint
    read: int
    """Rows of the source, unreadable ones included."""
    reasons: Mapping[str, int]
    """Rejected and set-aside rows by reason code."""
    latest: int | None
    """UTC seconds of the newest usable event."""
    offset: int | None
    """Row r (from 0) of rows.parquet stands on line r + offset; None: lines.npy says on which."""
    cut: int
    """Titles that were shortened."""
    reused: bool = False
    """Found, not made."""

    @property
    def rows(self) -> Path:
        return self.folder / "rows.parquet"

    @property
    def rejects(self) -> Path:
        return self.folder / "rejects.parquet"

    @property
    def keys(self) -> Path:
        """Hashes that join accounts; there where the source has key columns."""
        return self.folder / "keys.parquet"

    def lines(self, rows: np.ndarray) -> np.ndarray:
        """int64: line of each row (from 0); where the source has no lines, the row's number from 1."""
        return self.spans(rows)[0]

    def spans(self, rows: np.ndarray) -> np.ndarray:
        """int64 [2, rows]: first and last line of each row."""
        if self.offset is not None:
            return np.tile(rows.astype(np.int64) + self.offset, (2, 1))
        found: np.ndarray = np.load(self.folder / "lines.npy", mmap_mode="r")[:, rows]
        return found


def settings_hash(file: SourceFile, extra: Mapping[str, Any]) -> str:
    """Of all configuration that decides what a staged row looks like."""
    text = json.dumps(
        [VERSION, file.platform, file.source.model_dump(mode="json"), dict(extra)], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stage_folder(staged: Path, file: SourceFile, settings: str, fingerprint: Fingerprint) -> Path:
    return staged / f"{file.key}-{settings[:8]}{fingerprint.sha256[:16]}"


def known_fingerprint(staged: Path, file: SourceFile) -> Fingerprint | None:
    """The fingerprint that this file had when it was last staged."""
    newest = max(
        staged.glob(f"{file.key}-*/stage.json"), key=lambda path: path.stat().st_mtime_ns, default=None
    )
    return Fingerprint(**json.loads(newest.read_text())["fingerprint"]) if newest else None


def load_stage(folder: Path, file: SourceFile) -> Stage | None:
    """The stage in `folder`, or None when it was never finished."""
    try:
        values = json.loads((folder / "stage.json").read_text())
    except (OSError, ValueError):
        return None
    values["fingerprint"] = Fingerprint(**values["fingerprint"])
    return Stage(folder=folder, file=file, **values)
