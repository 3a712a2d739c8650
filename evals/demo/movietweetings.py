"""MovieTweetings dealt out to two simulated platforms, as files and a whyrec.toml. Seeded.

1. A film is listed on both platforms with odds 6 in 10, else on one of them, drawn evenly.
2. A rating goes to one platform that lists its film, drawn evenly; so everybody has one or two accounts.
3. Accounts are linked for 85 of 100 people.
4. `stars` keeps the rating, 0 to 10; `watch` turns it into a watched share.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from recall.errors import DataError

SEED = 7
BOTH, LINKED = 0.6, 0.85
_TITLE = re.compile(r"^(?P<title>.*?)\s*\((?P<year>\d{4})\)\s*$")

CONFIG = """# MovieTweetings (MIT licence), dealt out to two simulated platforms.
workspace = "workspace"

[platforms.stars]
domain = "films"
[[platforms.stars.events]]
path = "stars/ratings.csv"
columns = { user = "member", item = "film", value = "stars", time = "at" }
type = "rating"
rating = { min = 0, max = 10, like = 7, dislike = 4 }
[[platforms.stars.items]]
path = "stars/films.csv"
columns = { item = "film", title = "title", year = "year", categories = "genres" }

[platforms.watch]
domain = "films"
[[platforms.watch.events]]
path = "watch/views.csv"
columns = { user = "profile", item = "id", value = "share", time = "at" }
type = "view"
watched = { like = 0.7, dislike = 0.4 }
[[platforms.watch.items]]
path = "watch/films.csv"
columns = { item = "id", title = "title", year = "year", categories = "genres" }

# Which accounts belong to one person.
[[links.tables]]
path = "people.csv"
columns = { person = "person", platform = "platform", user = "user" }
"""


def write_movietweetings(source: Path, folder: Path, *, seed: int = SEED) -> int:
    """Deal `source` (ratings.dat, movies.dat) out into `folder`; returns how many ratings there are.

    DataError when the files are missing or of another form.
    """
    films, ratings = _read(source)
    rng = np.random.default_rng(seed)
    numbers = {film: place for place, film in enumerate(sorted(films))}
    both = rng.random(len(numbers)) < BOTH
    only = rng.integers(0, 2, len(numbers))
    drawn = rng.integers(0, 2, len(ratings))
    at = np.array([numbers[film] for _, film, _, _ in ratings])
    platform = np.where(both[at], drawn, only[at])
    persons = sorted({person for person, _, _, _ in ratings}, key=int)
    linked = rng.random(len(persons)) < LINKED
    rows: tuple[list[Sequence[object]], list[Sequence[object]]] = ([], [])
    for where, (person, film, rating, time) in zip(platform.tolist(), ratings, strict=True):
        if where == 0:
            rows[0].append((f"m{person}", f"f{film}", rating, time))
        else:
            rows[1].append((f"w{int(person) * 7919}", film[::-1], f"{rating / 10:.2f}", time))
    _csv(folder / "stars/ratings.csv", ("member", "film", "stars", "at"), rows[0])
    _csv(folder / "watch/views.csv", ("profile", "id", "share", "at"), rows[1])
    for name, head, where in (("stars", "film", 0), ("watch", "id", 1)):
        listed = [film for film in sorted(films) if both[numbers[film]] or only[numbers[film]] == where]
        catalogue = ((f"f{film}" if where == 0 else film[::-1], *films[film]) for film in listed)
        _csv(folder / name / "films.csv", (head, "title", "year", "genres"), catalogue)
    known = [person for person, is_known in zip(persons, linked, strict=True) if is_known]
    table = [(person, *account) for person in known for account in _accounts(person)]
    _csv(folder / "people.csv", ("person", "platform", "user"), table)
    (folder / "whyrec.toml").write_text(CONFIG, encoding="utf-8")
    return len(ratings)


def _accounts(person: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("stars", f"m{person}"), ("watch", f"w{int(person) * 7919}")


def _read(
    source: Path,
) -> tuple[dict[str, tuple[str, str, str]], list[tuple[str, str, int, int]]]:
    """Film → title, year, genres; and the ratings (person, film, rating, time) of films that are known."""
    try:
        films = {}
        for line in (source / "movies.dat").read_text(encoding="utf-8").splitlines():
            film, title, genres = line.split("::")
            match = _TITLE.match(title)
            films[film] = (match["title"], match["year"], genres) if match else (title, "", genres)
        ratings = []
        for line in (source / "ratings.dat").read_text(encoding="utf-8").splitlines():
            person, film, rating, time = line.split("::")
            if film in films:
                ratings.append((person, film, int(rating), int(time)))
    except (OSError, ValueError) as error:
        raise DataError(f"{source}: no MovieTweetings snapshot can be read from it ({error})") from error
    return films, ratings


def _csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
