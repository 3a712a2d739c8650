"""A person's events as arrays: they are made when one is looked at, since recall needs the columns only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from recall.types import Event


@dataclass(frozen=True, slots=True)
class Columns:
    """Parallel arrays of e ≥ 0 events."""

    ids: np.ndarray
    """bytes[e]"""
    items: np.ndarray
    """bytes[e]"""
    platforms: np.ndarray
    """int[e]: places in `platform_names`"""
    types: np.ndarray
    """int[e]: places in `type_names`"""
    times: np.ndarray
    """int64[e]: UTC seconds"""
    values: np.ndarray
    """float64[e]: NaN where the platform gave none"""
    weights: np.ndarray
    """float64[e]"""
    polarity: np.ndarray
    """int[e]"""
    confidence: np.ndarray
    """float[e]"""
    platform_names: Sequence[str]
    type_names: Sequence[str]


class Recorded(Sequence[Event]):
    """Events in the order of their columns. Immutable."""

    __slots__ = ("_made", "columns")

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self._made: tuple[Event, ...] | None = None

    @property
    def _events(self) -> tuple[Event, ...]:
        if self._made is None:
            self._made = tuple(self._make())
        return self._made

    def __len__(self) -> int:
        return len(self.columns.ids)

    @overload
    def __getitem__(self, at: int) -> Event: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Event, ...]: ...
    def __getitem__(self, at: int | slice) -> Event | tuple[Event, ...]:
        return self._events[at]

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, (Recorded, tuple)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._events)

    def __repr__(self) -> str:
        return repr(self._events)

    def _make(self) -> Iterator[Event]:
        c = self.columns
        columns = (
            c.ids,
            c.platforms,
            c.items,
            c.types,
            c.times,
            c.values,
            c.weights,
            c.polarity,
            c.confidence,
        )
        for id, platform, item, kind, time, value, *rest in zip(
            *(one.tolist() for one in columns), strict=True
        ):
            given = None if value != value else value  # NaN: no value
            name = c.platform_names[platform]
            yield Event(id.decode(), name, item.decode(), c.type_names[kind], time, given, *rest)
