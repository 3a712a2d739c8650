"""A data build as arrays: what training and the recallers work on. Integer rows begin and end here."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix

from recall.build_table import read_table
from recall.content.texts import ItemTexts
from recall.errors import DataError, NotFound
from recall.idmap import IdMap
from recall.ids import MICRO
from recall.workspace import Workspace

UNSTATED = np.int64(np.iinfo(np.int64).max)
"""In `listed_from`: no listing of the item says since when it is offered."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One build. Person p's events are `event_row[p]:event_row[p + 1]`, oldest first.

    Ties in time are ordered by event id, a hash of the event's content, so that no catalogue order shows
    through. Weights are in whole units (the tables hold micro-units). Every array may be empty.
    """

    build: str
    """Name of the build."""
    reference_time: int
    """UTC seconds at which the interactions' decay was taken."""
    persons: IdMap
    items: IdMap
    """Every item of the build, those without events included."""
    platforms: tuple[str, ...]
    """Sorted; their positions are the platform codes."""
    matrix: csr_matrix
    """float32 weights, rows = (person, consent group), columns = items. Likes only."""
    row_person: np.ndarray
    """int32: the person of each row of `matrix`."""
    event_row: np.ndarray
    """int64, persons + 1 offsets into the event arrays."""
    event_item: np.ndarray
    """int32"""
    event_platform: np.ndarray
    """int8 platform codes"""
    event_time: np.ndarray
    """int64 UTC seconds"""
    event_weight: np.ndarray
    """float32, before decay; 0 for a dislike"""
    event_polarity: np.ndarray
    """int8: recall.types.LIKE, NEUTRAL, DISLIKE"""
    listed: np.ndarray
    """bool, platforms × items"""
    listed_from: np.ndarray
    """int64, platforms × items: UTC seconds of the earliest stated `available_from`, or UNSTATED"""
    half_life_days: float = math.inf
    """With which the interactions' weights decay up to `reference_time`; inf: not at all."""
    cap: float = math.inf
    """Most that one interaction can weigh, after decay."""
    texts: ItemTexts | None = None
    """Where the items' texts are; None: they have none."""

    @property
    def event_person(self) -> np.ndarray:
        """int32: the person of each event."""
        return np.repeat(np.arange(len(self.persons), dtype=np.int32), np.diff(self.event_row))

    @classmethod
    def load(cls, build: Path) -> Dataset:
        """Read a build's tables. DataError when they are missing, unsorted or name unknown ids."""
        manifest = _manifest(build)
        people = read_table(build, "people", ["person"])["person"]
        items = read_table(build, "items", ["item"])["item"]
        listings = read_table(build, "listings", ["platform", "item", "available_from"])
        columns = ["person", "item", "platform", "time", "weight", "polarity"]
        events = read_table(build, "events", columns)
        names = set(pc.unique(listings["platform"]).to_pylist()) | set(
            pc.unique(events["platform"]).to_pylist()
        )
        platforms = tuple(sorted(names))
        if len(platforms) > 127:
            raise DataError(f"{build}: {len(platforms)} platforms; at most 127 can be told apart")
        persons_map, items_map = IdMap(_bytes(people)), IdMap(_bytes(items))
        for name, found in (("people", persons_map), ("items", items_map)):
            if (found.ids[1:] <= found.ids[:-1]).any():
                raise DataError(f"{build}/{name}.parquet is not sorted by id; run `whyrec ingest` again")
        codes = pa.array(platforms, pa.string())
        at = (
            _codes(build, "listings", listings["platform"], codes),
            _codes(build, "listings", listings["item"], items),
        )
        listed = np.zeros((len(platforms), len(items_map)), dtype=bool)
        listed[at] = True
        listed_from = np.full(listed.shape, UNSTATED)
        stated = pc.fill_null(listings["available_from"], pa.scalar(int(UNSTATED), pa.int64()))
        np.minimum.at(listed_from, at, _numbers(stated, np.int64))
        person = _codes(build, "events", events["person"], people)
        time = _numbers(events["time"], np.int64)
        if ((person[1:] < person[:-1]) | ((person[1:] == person[:-1]) & (time[1:] < time[:-1]))).any():
            raise DataError(f"{build}/events.parquet is not sorted by person and time; ingest again")
        matrix, row_person = _matrix(build, people, items)
        return cls(
            build=str(manifest["build"]),
            reference_time=int(manifest["reference_time"]),
            persons=persons_map,
            items=items_map,
            platforms=platforms,
            matrix=matrix,
            row_person=row_person,
            event_row=_offsets(person, len(persons_map)),
            event_item=_codes(build, "events", events["item"], items),
            event_platform=_codes(build, "events", events["platform"], codes).astype(np.int8),
            event_time=time,
            event_weight=(_numbers(events["weight"], np.float64) / MICRO).astype(np.float32),
            event_polarity=_numbers(events["polarity"], np.int8),
            listed=listed,
            listed_from=listed_from,
            half_life_days=float(manifest.get("half_life_days", math.inf)),
            cap=float(manifest.get("cap", math.inf)),
            texts=ItemTexts(build, knowledge_of(build)),
        )


def knowledge_of(build: Path) -> Path | None:
    """The current snapshot of knowledge of the workspace that the build is in, if there is one."""
    try:
        return Workspace(build.parent.parent).knowledge.current()
    except NotFound:
        return None


def _manifest(build: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((build / "manifest.json").read_text())
        manifest["build"], int(manifest["reference_time"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{build}/manifest.json can't be read ({error}); run `whyrec ingest` again"
        ) from error
    return manifest


def _matrix(build: Path, people: pa.ChunkedArray, items: pa.ChunkedArray) -> tuple[csr_matrix, np.ndarray]:
    """Interactions as a matrix with one row per (person, group); sorted by person, group, item on disk."""
    table = read_table(build, "interactions", ["person", "group", "item", "weight"])
    person = _codes(build, "interactions", table["person"], people)
    group = _numbers(table["group"], np.int32)
    item = _codes(build, "interactions", table["item"], items)
    starts = np.flatnonzero(np.r_[True, (person[1:] != person[:-1]) | (group[1:] != group[:-1])])
    if len(person) == 0:
        starts = starts[:0]
    weight = (_numbers(table["weight"], np.float64) / MICRO).astype(np.float32)
    if not (np.isfinite(weight) & (weight > 0)).all():
        raise DataError(f"{build}/interactions.parquet holds weights that are not above 0; ingest again")
    matrix = csr_matrix((weight, item, np.r_[starts, len(person)]), shape=(len(starts), len(items)))
    matrix.sum_duplicates()
    return matrix, person[starts]


def _codes(build: Path, table: str, values: pa.ChunkedArray, known: pa.ChunkedArray) -> np.ndarray:
    """int32 positions of `values` in `known`; DataError names the first value that is not there."""
    found = pc.index_in(values, value_set=known)
    if found.null_count:
        unknown = values.filter(pc.is_null(found))[0].as_py()
        raise DataError(f"{build}/{table}.parquet names {unknown!r}, which the build does not know")
    return _numbers(found, np.int32)


def _numbers(values: pa.ChunkedArray, dtype: type[np.generic]) -> np.ndarray:
    return np.ascontiguousarray(values.to_numpy(), dtype=dtype)


def _bytes(values: pa.ChunkedArray) -> np.ndarray:
    return np.array(values.cast(pa.binary()).to_pylist(), dtype="S") if len(values) else IdMap.of([]).ids


def _offsets(sorted_codes: np.ndarray, count: int) -> np.ndarray:
    return np.r_[0, np.cumsum(np.bincount(sorted_codes, minlength=count))].astype(np.int64)
