"""What recall offers to the higher rooms, and what its parts promise each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from recall.recall_config import RecallConfig
from recall.types import Because, CandidateList, History, Item, Query


class Library(Protocol):
    """What is known of people and items as of the current build and the live store."""

    def person(self, platform: str, user: str) -> str:
        """Person id of a platform's user; NotFound when the platform or the user is unknown."""

    def history(self, person: str, *, platform: str | None = None, as_of: int | None = None) -> History:
        """The person's events that may serve `platform` (None: any), newest first, before `as_of`.

        NotFound for an unknown person; empty when nothing may serve.
        """

    def had(self, person: str, *, platform: str | None = None, as_of: int | None = None) -> frozenset[str]:
        """Ids of the items that the person already had on platforms that may serve `platform`."""

    def items(self, ids: Sequence[str]) -> list[Item]:
        """Items by id, in order; NotFound names the first unknown one. Reads through the alias ledger."""


class Recall(Protocol):
    """Candidates for a history. CPU work: call it in a thread. Safe to call from several threads."""

    artefact: str
    embedder: str
    """Whose vectors an interest is asked in; '' where its words will do."""

    def candidates(self, query: Query) -> CandidateList:
        """At most `query.n` candidates in fitted order, without repeats; never an item already had."""

    def explain(self, query: Query, items: Sequence[str]) -> list[Because]:
        """For each item the source that carries it most, with the history events behind it."""

    def with_rules(self, config: RecallConfig) -> Recall:
        """The same under other rules."""

    def similar(self, item: str, *, platform: str | None = None, n: int = 20) -> list[tuple[str, float]]:
        """Items that go with this one, best first, with scores; none for an item that was not trained."""


@dataclass(frozen=True, slots=True)
class Stock:
    """What one answer stands on: a build, and the artefact trained on it."""

    library: Library
    recall: Recall
