"""The events of a build by person, as arrays in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from recall.build_table import read_table
from recall.idmap import IdMap
from recall.ids import MICRO
from recall.recorded import Columns, Recorded

_COLUMNS = ["event", "person", "item", "platform", "type", "value", "weight", "polarity", "time"]
_COLUMNS += ["confidence"]


class Past:
    """About 90 bytes an event. A person's events are one slice, oldest first."""

    def __init__(self, build: Path) -> None:
        """Reads the build's events and people; DataError when they can't be read."""
        table = read_table(build, "events", _COLUMNS)
        people = read_table(build, "people", ["person"])["person"].to_pylist()
        self.persons = IdMap.of(people)
        owners = np.array(table["person"].to_pylist(), dtype="S") if len(table) else self.persons.ids[:0]
        self._offsets = np.r_[np.searchsorted(owners, self.persons.ids), len(owners)]
        self._event = _texts(table["event"])
        self._item = _texts(table["item"])
        self._platform, self.platforms = _coded(table["platform"])
        self._type, self._types = _coded(table["type"])
        self._time = table["time"].to_numpy()
        self._value = table["value"].to_numpy()
        self._weight = table["weight"].to_numpy() / MICRO
        self._polarity = table["polarity"].to_numpy()
        self._confidence = table["confidence"].to_numpy()

    def _slice(self, person: str, serving: frozenset[str] | None, before: int | None) -> np.ndarray:
        """Positions of the person's events, newest first; none for an unknown person."""
        row = self.persons.row(person)
        if row < 0:
            return np.zeros(0, np.int64)
        start, stop = self._offsets[row], self._offsets[row + 1]
        if before is not None:
            stop = start + np.searchsorted(self._time[start:stop], before, side="left")
        positions = np.arange(start, stop)[::-1]
        if serving is not None:
            codes = [code for code, platform in enumerate(self.platforms) if platform in serving]
            positions = positions[np.isin(self._platform[positions], codes)]
        return positions

    def events(self, person: str, serving: frozenset[str] | None, before: int | None) -> Recorded:
        """Of the platforms `serving` (None: all) with time < `before`, newest first."""
        at = self._slice(person, serving, before)
        return Recorded(
            Columns(
                ids=self._event[at],
                items=self._item[at],
                platforms=self._platform[at],
                types=self._type[at],
                times=self._time[at],
                values=self._value[at],
                weights=self._weight[at],
                polarity=self._polarity[at],
                confidence=self._confidence[at],
                platform_names=self.platforms,
                type_names=self._types,
            )
        )

    def items(self, person: str, serving: frozenset[str] | None, before: int | None) -> frozenset[str]:
        """Ids of the items in these events."""
        return frozenset(item.decode() for item in self._item[self._slice(person, serving, before)].tolist())


def _texts(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(column.to_pylist(), dtype="S") if len(column) else np.zeros(0, "S1")


def _coded(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """int32 codes and what they stand for."""
    coded = column.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.unify_dictionaries().combine_chunks()
    return coded.indices.to_numpy(), coded.dictionary.to_pylist()
