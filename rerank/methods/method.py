"""What every method takes and gives."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from prompts import Prompt
from recall.types import Item
from rerank.config import RankConfig
from rerank.knowledge.types import Fact
from rerank.summary import Summary
from rerank.types import ChatModel, Deadline, Message, Ranking
from rerank.wording import messages


@dataclass(frozen=True, slots=True)
class RankTask:
    """One list to order. `candidates` are in recall order and only those that the model shall see; `facts`,
    by item, are shown with them. `profile`: the person's stored one as text, '' for none."""

    summary: Summary
    candidates: tuple[Item, ...]
    prompt: Prompt
    platform: str | None = None
    wish: str | None = None
    settings: RankConfig = field(default_factory=RankConfig)
    facts: Mapping[str, Sequence[Fact]] = field(default_factory=dict)
    profile: str = ""

    def ask(self, places: Sequence[int], labels: Sequence[str], *, profile: str = "") -> list[Message]:
        """The messages about the candidates at these places."""
        return messages(
            self.prompt,
            self.summary,
            [self.candidates[place] for place in places],
            labels,
            platform=self.platform,
            wish=self.wish,
            profile=profile,
            title_chars=self.settings.title_chars,
            description_chars=self.settings.description_chars,
            facts=self.facts,
        )


Place = Literal["model", "filled", "recall"]


def places(order: Sequence[int], named: Collection[int], asked: Collection[int]) -> tuple[Place, ...]:
    """Where each place of an order comes from: named by the model, asked about but not named, never asked."""
    return tuple("model" if p in named else "filled" if p in asked else "recall" for p in order)


class Method(Protocol):
    """A way to ask a model for an order. Never raises for what a model does: the ranking says it."""

    name: str
    prompt: str
    """Name of its plain prompt; '' when it asks nothing."""
    needs: tuple[str, ...]
    """Fields of Capabilities that must not be False."""

    async def rank(self, task: RankTask, model: ChatModel, deadline: Deadline) -> Ranking:
        """A permutation of the candidates, with where each place comes from."""
