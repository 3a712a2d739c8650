"""The rule by which real ratings are dealt out to simulated platforms. Seeded: the same seed, the same deal.

1. A person is on one, two or three platforms with odds 1 : 2 : 2; which, is drawn evenly.
2. A film is listed on one, two or three platforms with odds 1 : 3 : 6; which, is drawn evenly.
3. A rating goes to one platform, drawn evenly from those that its person is on and its film is listed on.
   Where there is none, it goes to one of the person's platforms, and the film is listed there as well.
4. A film that the data set holds twice is dealt as two films; a platform may then list it twice.
5. Links between a person's accounts are known for 85 of 100 persons.

What a rating becomes on each platform:
- cinema keeps it, 1 to 5.
- stream turns it into a watched share, drawn evenly from a band: 1: .02-.10, 2: .10-.20, 3: .35-.65,
  4: .70-.90, 5: .90-1. So a disliked film was left early.
- shop sells: 3 and more is a purchase, 1 and 2 is a return.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recall.sample.movielens import MovieLens

PLATFORMS = ("cinema", "stream", "shop")
SEED = 20
LINKED_SHARE = 0.85
PERSON_ODDS = (0.2, 0.4, 0.4)
FILM_ODDS = (0.1, 0.3, 0.6)
WATCHED = ((0.02, 0.10), (0.10, 0.20), (0.35, 0.65), (0.70, 0.90), (0.90, 1.00))
"""Bands of the watched share, by rating from 1."""

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Deal:
    """Rating r went to `platform[r]`; `accounts` are persons × platforms, `listings` films × platforms."""

    platform: np.ndarray[Any, np.dtype[np.int8]]
    watched: np.ndarray[Any, np.dtype[np.float64]]
    """The share that rating r becomes where it went to stream."""
    accounts: Mask
    listings: Mask
    linked: Mask
    """Persons whose links are known."""


def deal(data: MovieLens, seed: int = SEED) -> Deal:
    """Every rating goes to exactly one platform; a person has an account where a rating went or was drawn."""
    rng = np.random.default_rng(seed)
    accounts = _subsets(rng, data.persons, PERSON_ODDS)
    listings = _subsets(rng, len(data.films), FILM_ODDS)
    allowed = accounts[data.person] & listings[data.film]
    nowhere = ~allowed.any(axis=1)
    allowed[nowhere] = accounts[data.person[nowhere]]
    platform = np.where(allowed, rng.random(allowed.shape), -1.0).argmax(axis=1).astype(np.int8)
    listings[data.film, platform] = True
    low, high = np.array(WATCHED).T
    band = data.rating - 1
    watched = low[band] + rng.random(len(band)) * (high - low)[band]
    linked = rng.random(data.persons) < LINKED_SHARE
    return Deal(platform, np.round(watched, 3), accounts, listings, linked)


def _subsets(rng: np.random.Generator, count: int, odds: tuple[float, ...]) -> Mask:
    """For each row, 1 to 3 of the platforms: as many as drawn by `odds`, each subset of a size evenly."""
    sizes = rng.choice(len(odds), size=count, p=odds) + 1
    ranks = rng.random((count, len(PLATFORMS))).argsort(axis=1).argsort(axis=1)
    return ranks < sizes[:, None]
