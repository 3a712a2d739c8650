"""Known formats: the keys of a source section that `preset = "NAME"` fills in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ML_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
_HALF_STARS = {"min": 0.5, "max": 5, "like": 4, "dislike": 2}
_STARS = {"min": 1, "max": 5, "like": 4, "dislike": 2}
_RATING = {"time": "seconds", "type": "rating"}
_ML_RATINGS = {"user": "userId", "item": "movieId", "value": "rating", "time": "timestamp"}

EVENTS: dict[str, dict[str, Any]] = {
    "movielens-100k": {  # u.data
        "format": "csv", "delimiter": "\t", "quote": "", "header": False,
        "names": ("userId", "movieId", "rating", "timestamp"),
        "columns": _ML_RATINGS, "rating": _STARS, **_RATING,
    },
    "movielens-dat": {  # ratings.dat of 1M and 10M
        "format": "csv", "delimiter": "::", "quote": "", "header": False,
        "names": ("userId", "movieId", "rating", "timestamp"),
        "columns": _ML_RATINGS, "rating": _HALF_STARS, **_RATING,
    },
    "movielens-csv": {"format": "csv", "columns": _ML_RATINGS, "rating": _HALF_STARS, **_RATING},
    "movietweetings": {  # ratings.dat
        "format": "csv", "delimiter": "::", "quote": "", "header": False,
        "names": ("user_id", "movie_id", "rating", "rating_timestamp"),
        "columns": {"user": "user_id", "item": "movie_id", "value": "rating", "time": "rating_timestamp"},
        "rating": {"min": 0, "max": 10, "like": 7, "dislike": 4}, **_RATING,
    },
    "amazon-2018": {
        "format": "jsonl", "rating": _STARS, **_RATING,
        "columns": {"user": "reviewerID", "item": "asin", "value": "overall", "time": "unixReviewTime"},
    },
    "amazon-2023": {
        "format": "jsonl", "rating": _STARS, "type": "rating", "time": "milliseconds",
        "columns": {"user": "user_id", "item": "parent_asin", "value": "rating", "time": "timestamp"},
    },
    "events": {
        "columns": {"user": "user", "item": "item", "type": "type", "time": "time"}, "time": "iso8601",
    },
}  # fmt: skip

ITEMS: dict[str, dict[str, Any]] = {
    "movielens-100k": {  # u.item
        "format": "csv", "delimiter": "|", "quote": "", "header": False, "encoding": "latin-1",
        "names": ("movieId", "title", "released", "video", "imdb_url", *_ML_GENRES),
        "columns": {"item": "movieId", "title": "title", "url": "imdb_url"},
        "title_year": True, "flags": {name: name for name in _ML_GENRES[1:]},
    },
    "movielens-dat": {
        "format": "csv", "delimiter": "::", "quote": "", "header": False, "encoding": "latin-1",
        "names": ("movieId", "title", "genres"), "title_year": True,
        "columns": {"item": "movieId", "title": "title", "categories": "genres"},
    },
    "movielens-csv": {
        "format": "csv", "title_year": True,
        "columns": {"item": "movieId", "title": "title", "categories": "genres"},
    },
    "movietweetings": {  # movies.dat; the ids are IMDb's
        "format": "csv", "delimiter": "::", "quote": "", "header": False, "title_year": True,
        "names": ("movie_id", "title", "genres"),
        "columns": {
            "item": "movie_id", "title": "title", "categories": "genres", "external_ids": {"imdb": "movie_id"}
        },
    },
    "amazon-2018": {
        "format": "jsonl",
        "columns": {
            "item": "asin", "title": "title", "creators": "brand", "categories": "category",
            "description": "description", "price": "price",
        },
    },
    "amazon-2023": {
        "format": "jsonl",
        "columns": {
            "item": "parent_asin", "title": "title", "creators": "store", "categories": "categories",
            "description": "description", "price": "price",
        },
    },
}  # fmt: skip


def preset_fields(name: str, section: str) -> Mapping[str, Any]:
    """The keys that preset `name` gives to an EventSource or ItemSource; ValueError lists the known names."""
    table = {"EventSource": EVENTS, "ItemSource": ITEMS}.get(section, {})
    if name not in table:
        raise ValueError(f"no preset {name!r}; known: {', '.join(table) or 'none here'}")
    return table[name]
