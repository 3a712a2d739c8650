"""Candidates kept as arrays: one is made when it is looked at, since most of some hundreds never are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import overload

import numpy as np

from recall.types import Candidate


class Listed(Sequence[Candidate]):
    """Candidates in recall order. Immutable."""

    __slots__ = ("_head", "_items", "_scores", "_sources")

    def __init__(self, items: np.ndarray, scores: np.ndarray, sources: Mapping[str, np.ndarray]) -> None:
        """Parallel: ids (bytes), blended scores float32, and each source's own scores float32."""
        self._items, self._scores, self._sources = items, scores, sources
        self._head: tuple[Candidate, ...] = ()  # the first ones, once somebody looked at them

    @property
    def scores(self) -> list[float]:
        """All blended scores, without making candidates."""
        found: list[float] = self._scores.tolist()
        return found

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, at: int) -> Candidate: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Candidate, ...]: ...
    def __getitem__(self, at: int | slice) -> Candidate | tuple[Candidate, ...]:
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            if (start, step) != (0, 1):
                return tuple(self._made(start, stop, step))
            if stop > len(self._head):
                self._head = tuple(self._made(0, stop, 1))
            return self._head[:stop]
        place = range(len(self))[at]
        if place < len(self._head):
            return self._head[place]
        return next(self._made(place, place + 1, 1))

    def __iter__(self) -> Iterator[Candidate]:
        return self._made(0, len(self), 1)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, (Listed, tuple)) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self._items.tolist()))

    def __repr__(self) -> str:
        return f"Listed({tuple(self)!r})"

    def _made(self, start: int, stop: int, step: int) -> Iterator[Candidate]:
        span = slice(start, stop if stop >= 0 else None, step)
        ranks = range(start, stop, step)
        names = self._items[span].tolist()
        scores = self._scores[span].tolist()
        own = {name: values[span].tolist() for name, values in self._sources.items()}
        for number, rank in enumerate(ranks):
            sources = {name: values[number] for name, values in own.items() if values[number] > 0}
            yield Candidate(names[number].decode(), rank, scores[number], sources)
