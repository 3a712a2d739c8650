"""What models are shown of one person and of items beside their titles: summary, profile, facts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from prompts import Prompt
from recall.types import Item
from rerank.common import Shared, shared_facts
from rerank.config import RankConfig
from rerank.ground import Ground
from rerank.knowledge.types import Fact
from rerank.knowledge.use import Use, UseCounts
from rerank.summary import Summary, summarise, with_profile
from rerank.types import ChatModel, Deadline, Request


@dataclass(frozen=True)
class Shown:
    """Puts together what one answer shows, and counts in `used` what came from knowledge."""

    request: Request
    ground: Ground
    rank: RankConfig
    use: Use
    used: UseCounts

    @property
    def now(self) -> int:
        return int(time.time()) if self.request.as_of is None else self.request.as_of

    async def history(self, model: ChatModel) -> Summary:
        """The history's lines, counted by the model's own tokenizer."""
        return await summarise(
            self.ground.history,
            self.ground.items,
            platform=self.request.platform,
            now=self.now,
            budget_tokens=self.rank.summary_tokens,
            count=model.count,
            floor=self.rank.floor,
            language=self.request.language,
            title_chars=self.rank.title_chars,
        )

    async def person(self, history: Summary, prompt: Prompt, model: ChatModel) -> tuple[Summary, str]:
        """What the ranking model sees of the person, and the profile for prompts with a place for it."""
        if not self.use.profiles:
            return history, ""
        statements = await asyncio.to_thread(
            lambda: self.use.statements(
                self.ground.history, now=self.now, as_of=self.request.as_of, floor=self.rank.floor
            )
        )
        if not statements:
            return history, ""
        summary = await with_profile(
            history,
            statements,
            instead=self.use.config.profile == "instead",
            budget_tokens=self.rank.summary_tokens,
            count=model.count,
            language=self.request.language,
        )
        text = " ".join(one.text for one in statements) if "profile" in prompt.placeholders else ""
        lines = sum(line.label[0] == "p" for line in summary.lines)
        self.used.statements(len(statements) if text else lines if "history" in prompt.placeholders else 0)
        return summary, text

    async def facts(self, items: Sequence[Item]) -> dict[str, tuple[Fact, ...]]:
        """By item, what is shown with each candidate."""
        if not self.use.in_prompts:
            return {}
        found = await asyncio.to_thread(self.use.shown, [item.id for item in items])
        self.used.facts(list(found.values()))
        return found

    async def shared(
        self, items: Sequence[Item], history: Summary, silent: Sequence[str], deadline: Deadline
    ) -> tuple[Shared, ...]:
        """What the returned items have in common with the history, for the model that writes reasons. Nothing
        where the store does not tell by the deadline."""
        if not self.use.in_reasons:
            return ()
        known = [line.event.item for line in history.lines if line.event]
        ids = list(dict.fromkeys([*(item.id for item in items), *known]))
        try:
            async with asyncio.timeout(deadline.left()):
                facts = await asyncio.to_thread(self.use.facts, ids)
        except TimeoutError:
            return ()
        found = shared_facts(items, history, facts, language=self.request.language, silent=silent)
        self.used.counts["shared_facts"] += len(found)
        return found
