"""What fusing does, as a picture in text: what the platforms have in common, and one item under its names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api.cli.output import plain

if TYPE_CHECKING:
    from rich.console import Console

BAR = 24
"""Characters of the longest bar."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """Counts of one build. Keys are the sorted platforms that somebody or something is on."""

    people: Mapping[tuple[str, ...], int]
    items: Mapping[tuple[str, ...], int]
    accounts: int
    listings: int
    events: int
    example: tuple[tuple[str, str], ...]
    """(platform, title there) of the best-known item with the most differing titles; empty if none."""

    @property
    def platforms(self) -> list[str]:
        return sorted({name for key in (*self.people, *self.items) for name in key})


def measure(build: Path) -> Fusion:
    """Counts from the build's people, listings and events."""
    import pyarrow.parquet as pq

    people = pq.read_table(build / "people.parquet", columns=["platforms", "events"])
    listings = pq.read_table(build / "listings.parquet", columns=["item", "platform", "title"]).to_pylist()
    places: dict[str, set[str]] = {}
    for row in listings:
        places.setdefault(row["item"], set()).add(row["platform"])
    kinds = [tuple(sorted(row)) for row in people["platforms"].to_pylist()]
    return Fusion(
        people=Counter(kinds),
        items=Counter(tuple(sorted(names)) for names in places.values()),
        accounts=sum(len(kind) for kind in kinds),
        listings=len(listings),
        events=sum(people["events"].to_pylist()),
        example=_example(build, listings),
    )


def _example(build: Path, listings: list[dict[str, str | None]]) -> tuple[tuple[str, str], ...]:
    import pyarrow.parquet as pq

    names: dict[str, dict[str, str]] = {}
    for row in listings:
        if row["item"] and row["platform"] and row["title"]:
            names.setdefault(row["item"], {})[row["platform"]] = row["title"]
    known = Counter(pq.read_table(build / "events.parquet", columns=["item"])["item"].to_pylist())
    several = [item for item, titles in names.items() if len(set(titles.values())) > 1]
    if not several:
        return ()
    best = max(several, key=lambda item: (len(set(names[item].values())), known[item], item))
    return tuple(sorted(names[best].items()))


def show(console: Console, fusion: Fusion) -> None:
    """Print the picture."""
    people, items = sum(fusion.people.values()), sum(fusion.items.values())
    console.print(
        f"{fusion.events:,} events on {len(fusion.platforms)} platforms: {fusion.accounts:,} accounts are "
        f"{people:,} people, {fusion.listings:,} listings are {items:,} items."
    )
    console.print()
    _bars(console, "people", fusion.people)
    _bars(console, "items", fusion.items)
    if fusion.example:
        console.print("One item under its names:")
        for platform, title in fusion.example:
            console.print(f"  {plain(platform):<12}{plain(title)}")
        console.print()


def _bars(console: Console, what: str, counts: Mapping[tuple[str, ...], int]) -> None:
    most = max(counts.values(), default=1)
    console.print(f"{what} on")
    for key, count in sorted(counts.items(), key=lambda pair: (-len(pair[0]), pair[0])):
        bar = "█" * max(1, round(BAR * count / most))
        console.print(f"  {plain(' + '.join(key)):<26}{count:>8,}  {bar}")
    console.print()
