"""Evaluation cases: a person at a moment, what was liked then, and the frozen list that every arm ranks."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recall.errors import DataError
from recall.types import Candidate, Event, Item, Listing

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Case:
    """One question with a known answer. `candidates` are in recall order; the target may be missing there."""

    person: str
    platform: str
    """Where the target was liked, which is where the question is asked."""
    target: str
    """Id of the item that the person liked."""
    as_of: int
    """UTC seconds: the cut, or the time of the held-out event. The history ends before it."""
    history: tuple[Event, ...]
    """Newest first; ties in time as the split's seed drew them."""
    candidates: tuple[Candidate, ...]
    plain: tuple[float, ...]
    """For each candidate the score of ALS alone, folded in without recency."""
    popularity: tuple[float, ...]
    """For each candidate how popular it is on the platform."""
    segments: Mapping[str, str]
    """history: 0, 1-4, 5-19, 20+ liked items; platforms: 1, 2, 3+; new: whether new to the platform."""
    alone: Mapping[str, int | None] = field(default_factory=dict)
    """Source → place from 0 of the target in that source's own list of the catalogue; None: not in it."""
    wish: str | None = None

    @property
    def slot(self) -> int | None:
        """The target's place from 0 among the candidates; None where recall did not find it."""
        return next((at for at, one in enumerate(self.candidates) if one.item == self.target), None)


@dataclass(frozen=True, slots=True)
class PoolItem:
    """What reports need to know of an item."""

    item: Item
    people: int
    """How many people liked it in the training."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Cases, the items that occur in them, and a header that says where they come from."""

    header: Mapping[str, Any]
    cases: tuple[Case, ...]
    items: Mapping[str, PoolItem]
    hash: str
    """sha256 of cases and items as written: the same lists have the same hash, whenever they were made."""

    @classmethod
    def of(cls, header: Mapping[str, Any], cases: Iterable[Case], items: Iterable[PoolItem]) -> Pool:
        made = tuple(sorted(cases, key=lambda case: case.person))
        known = {one.item.id: one for one in sorted(items, key=lambda one: one.item.id)}
        text = "".join(_lines(made, known.values()))
        return cls(header, made, known, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())

    def save(self, path: Path) -> None:
        """Write the file by one rename: a header line with the hash, then items and cases, one a line."""
        path.parent.mkdir(parents=True, exist_ok=True)
        head = json.dumps({"kind": "pool", "format": FORMAT, "hash": self.hash, **self.header})
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(head + "\n" + "".join(_lines(self.cases, self.items.values())), encoding="utf-8")
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Pool:
        """DataError when the file can't be read or is not what its hash says."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            header = json.loads(lines[0])
            rows = [json.loads(line) for line in lines[1:]]
            pool = cls.of(
                {key: value for key, value in header.items() if key not in ("kind", "format", "hash")},
                [_case(row["case"]) for row in rows if "case" in row],
                [PoolItem(_item(row["item"]), row["people"]) for row in rows if "item" in row],
            )
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise DataError(f"{path}: no pool of cases can be read from it ({error}); run it anew") from error
        if header.get("format") != FORMAT or header.get("hash") != pool.hash:
            raise DataError(
                f"{path}: its cases are not those that were frozen (their hash differs): run anew"
            )
        return pool


def _lines(cases: Iterable[Case], items: Iterable[PoolItem]) -> Iterable[str]:
    for one in items:
        yield json.dumps({"item": asdict(one.item), "people": one.people}) + "\n"
    for case in cases:
        yield json.dumps({"case": asdict(case)}) + "\n"


def _case(row: dict[str, Any]) -> Case:
    return Case(
        **{
            **row,
            "history": tuple(Event(**event) for event in row["history"]),
            "candidates": tuple(Candidate(**one) for one in row["candidates"]),
            "plain": tuple(row["plain"]),
            "popularity": tuple(row["popularity"]),
        }
    )


def _item(row: dict[str, Any]) -> Item:
    lists = {name: tuple(row[name]) for name in ("creators", "categories")}
    return Item(**{**row, **lists, "listings": tuple(Listing(**one) for one in row["listings"])})
