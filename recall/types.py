"""The nouns that every room shares: events, items, histories, candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LIKE, NEUTRAL, DISLIKE = 1, 0, -1
"""An event's polarity: trained as a like, weak or none, a negative (kept in the history, never trained)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """An item on one platform, under that platform's id and title."""

    platform: str
    listing: str
    title: str
    confidence: float = 1.0
    price: float | None = None
    url: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One work or product across platforms. Every text in it is untrusted data."""

    id: str
    title: str
    year: int | None = None
    creators: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    listings: tuple[Listing, ...] = ()
    description: str | None = None
    language: str | None = None
    min_age: int | None = None

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms that list the item, each once, sorted."""
        return tuple(sorted({listing.platform for listing in self.listings}))


@dataclass(frozen=True, slots=True)
class Event:
    """One row of a platform: this person did `type` with this item at `time` (UTC seconds).

    `value` is what the platform gave (a rating, a watched share, a quantity); `weight` what the event
    counts for before time decay (0 for a dislike); `confidence` that of its person link times its item
    link.
    """

    id: str
    platform: str
    item: str
    type: str
    time: int
    value: float | None = None
    weight: float = 1.0
    polarity: int = LIKE
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class History:
    """A person's events that may serve the asking platform, newest first. May be empty."""

    person: str | None
    events: Sequence[Event] = ()

    @property
    def items(self) -> frozenset[str]:
        """Ids of the items in the history, disliked ones included."""
        return frozenset(event.item for event in self.events)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item that recall proposes: `rank` from 0, `score` of the fitted blend, each source's own score."""

    item: str
    rank: int
    score: float
    sources: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a request allows. Empty fields allow everything."""

    categories_in: frozenset[str] = frozenset()
    categories_out: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    price_max: float | None = None
    max_age_rating: int | None = None
    """Items whose `min_age` is above this are left out."""
    exclude: frozenset[str] = frozenset()
    """Item ids never to be proposed."""
    repeats: bool = False
    """Whether items that the person already had may be proposed."""


@dataclass(frozen=True, slots=True)
class Query:
    """What recall is asked: candidates for this history on this platform (None: any), as of a time."""

    history: History
    platform: str | None = None
    as_of: int | None = None
    """UTC seconds; None is now."""
    n: int = 300
    filters: Filters = Filters()
    had: frozenset[str] = frozenset()
    """Items had beyond the shown history (events that may mask but not be shown)."""
    interest: str | tuple[float, ...] | None = None
    """What the person asks for, in words, or their vector where an endpoint makes the vectors. It stands in
    for a history that has nothing usable."""


@dataclass(frozen=True, slots=True)
class CandidateList:
    """Candidates in recall order, and how many items each rule removed before ranking."""

    candidates: Sequence[Candidate]
    removed: Mapping[str, int] = field(default_factory=dict)
    artefact: str = ""
    """Name of the artefact that they come from."""

    @property
    def scores(self) -> list[float]:
        """Blended scores in recall order."""
        found = getattr(self.candidates, "scores", None)
        return found if found is not None else [candidate.score for candidate in self.candidates]


@dataclass(frozen=True, slots=True)
class Because:
    """What carries one candidate: for one source, the history events behind it with their shares.

    `source` is a recaller's name, or "interest" where a stated interest brought the item; `events` are
    (event id, contribution) with the largest first; empty for popularity, where `popularity` gives how many
    people had the item on the platform.
    """

    source: str
    events: tuple[tuple[str, float], ...] = ()
    popularity: int | None = None
