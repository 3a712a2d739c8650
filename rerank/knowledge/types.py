"""The nouns of knowledge: facts about items, statements about people, and who is asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

OPEN = "model"
"""`source` of a fact that no text of the item states: the model's own memory of the world."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One value of one field of the schema, read out of one item. Its text is untrusted data."""

    item: str
    kind: str
    """A field of the schema: theme, mood, style, setting, audience, level, use, entity, line."""
    value: str
    confidence: float
    """In (0, 1]."""
    source: str
    """The item's field that states it (title, year, creators, categories, description, review), or OPEN."""
    model: str
    prompt_hash: str
    time: int
    """UTC seconds of the extraction."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One checked sentence about a person, and the events that it rests on; never without one."""

    kind: Literal["lasting", "current", "dislike", "habit"]
    text: str
    events: tuple[str, ...]
    """Ids. The statement may be shown only where all of these events may."""
    confidence: float
    platform: str | None = None
    """Of a habit: the platform that it is about."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is lasting and what is current about a person's taste."""

    person: str
    statements: tuple[Statement, ...]
    model: str
    prompt_hash: str
    time: int


class Knowledge(Protocol):
    """What the pipeline asks. Reads of the store: call it in a thread that runs no event loop."""

    def facts(self, items: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        """Facts by item, surest first; items without any are left out. Ids are read through the aliases."""

    def profile(self, person: str) -> Profile | None:
        """None where none was extracted, or the person was erased since."""
