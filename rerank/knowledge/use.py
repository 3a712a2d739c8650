"""What one answer takes from knowledge: facts that count, statements that may be shown, and how many."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from recall.errors import StoreError
from recall.types import History
from rerank.knowledge.config import KnowledgeConfig
from rerank.knowledge.types import OPEN, Fact, Knowledge, Statement

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Use:
    """Asks `knowledge` (None: there is none) under a configuration. Reads may go to the store: call from a
    thread that runs no event loop. A store that can't be read costs the answer its knowledge, no more."""

    knowledge: Knowledge | None = None
    config: KnowledgeConfig = field(default_factory=KnowledgeConfig)

    @property
    def in_prompts(self) -> bool:
        """Whether candidates show facts."""
        return self.knowledge is not None and self.config.facts_in_prompts > 0

    @property
    def profiles(self) -> bool:
        """Whether profiles are shown."""
        return self.knowledge is not None and self.config.profile != "off"

    @property
    def in_reasons(self) -> bool:
        """Whether reasons may rest on facts."""
        return self.knowledge is not None and self.config.facts_in_reasons

    def facts(self, items: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        """The items' facts at the floor or above, surest first; open-world ones only where they count."""
        if self.knowledge is None or not items:
            return {}
        try:
            found = self.knowledge.facts(items)
        except StoreError as error:
            _log.warning("no facts for this answer: %s", error)
            return {}
        counting = {
            item: tuple(
                fact
                for fact in facts
                if fact.confidence >= self.config.floor and (self.config.open_world or fact.source != OPEN)
            )
            for item, facts in found.items()
        }
        return {item: facts for item, facts in counting.items() if facts}

    def shown(self, items: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        """The few facts of each item that a prompt shows."""
        most = self.config.facts_in_prompts
        return {item: facts[:most] for item, facts in self.facts(items).items()} if most else {}

    def statements(
        self, history: History, *, now: int, as_of: int | None, floor: float
    ) -> tuple[Statement, ...]:
        """Those statements of the person's profile of which every event is in `history`, which already holds
        only what may serve, on links of `floor` or more.

        A profile that was written after `as_of` has seen what came later: nothing of it is shown.
        """
        if self.knowledge is None or history.person is None:
            return ()
        try:
            profile = self.knowledge.profile(history.person)
        except StoreError as error:
            _log.warning("no profile for this answer: %s", error)
            return ()
        if profile is None or (as_of is not None and profile.time > as_of):
            return ()
        known = {e.id for e in history.events if e.confidence >= floor and e.time <= now}
        return tuple(
            one
            for one in profile.statements
            if one.confidence >= self.config.floor and one.events and known.issuperset(one.events)
        )


@dataclass(slots=True)
class UseCounts:
    """How much knowledge an answer showed to models or rests on."""

    counts: Counter[str] = field(default_factory=Counter)

    def facts(self, shown: Sequence[Sequence[Fact]]) -> None:
        every = [fact for facts in shown for fact in facts]
        self.counts["facts"] += len(every)
        self.counts["open_world"] += sum(fact.source == OPEN for fact in every)

    def statements(self, n: int) -> None:
        self.counts["statements"] += n

    def told(self) -> dict[str, int]:
        """Without what is nothing."""
        return {name: n for name, n in self.counts.items() if n}
