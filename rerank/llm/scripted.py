"""The fake: a real engine that answers from a function and records what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recall.errors import ModelError
from rerank.llm.estimate import estimate_tokens
from rerank.types import (
    Capabilities,
    Cause,
    ChatModel,
    Deadline,
    LabelScores,
    Message,
    Reply,
    Sampling,
    Usage,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: `schema` for a chat, `labels` for a decoding step."""

    messages: tuple[Message, ...]
    sampling: Sampling | None = None
    schema: Mapping[str, Any] | None = None
    labels: tuple[str, ...] | None = None


Answer = Callable[[Asked], str | Reply]
Scores = Callable[[Asked], Mapping[str, float]]


class ScriptedModel:
    """Answers with `answer(asked)` and `scores(asked)`, which may raise ModelError; `delay` in seconds first.

    `asked` holds every question in order. Without `scores` it has no log-probabilities.
    """

    def __init__(
        self,
        answer: Answer = lambda asked: "{}",
        scores: Scores | None = None,
        *,
        name: str = "scripted",
        weight: float = 0.5,
        delay: float = 0.0,
        context: int | None = None,
        counter: ChatModel | None = None,
    ) -> None:
        """`context` is its limit in tokens; `counter` counts them in its place."""
        self.name = name
        self.weight = weight
        self.asked: list[Asked] = []
        self._answer = answer
        self._scores = scores
        self._delay = delay
        self._context = context
        self._counter = counter

    async def capabilities(self, deadline: Deadline) -> Capabilities:
        return Capabilities(
            self.name,
            context=self._context,
            json_schema=True,
            logprobs=self._scores is not None,
            top_logprobs=20 if self._scores else 0,
        )

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling,
        deadline: Deadline,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        asked = Asked(tuple(messages), sampling=sampling, schema=schema)
        await self._wait(deadline, [asked])
        answer = self._answer(asked)
        if isinstance(answer, Reply):
            return answer
        used = Usage(prompt=self._count(messages), completion=max(1, len(answer) // 3))
        return Reply(answer, model=self.name, usage=used, seconds=self._delay)

    async def label_scores(
        self, prompts: Sequence[Sequence[Message]], *, labels: Sequence[str], deadline: Deadline
    ) -> list[LabelScores]:
        if self._scores is None:
            raise ModelError(f"{self.name} has no log-probabilities", Cause.UNSUPPORTED)
        asked = [Asked(tuple(prompt), labels=tuple(labels)) for prompt in prompts]
        await self._wait(deadline, asked)
        return [
            LabelScores(
                {label: value for label, value in self._scores(one).items() if label in labels},
                model=self.name,
                usage=Usage(prompt=self._count(one.messages), completion=1),
                seconds=self._delay,
            )
            for one in asked
        ]

    async def count(self, messages: Sequence[Message]) -> int:
        return await self._counter.count(messages) if self._counter else self._count(messages)

    async def aclose(self) -> None:
        return None

    def _count(self, messages: Sequence[Message]) -> int:
        return estimate_tokens(messages, 3.0)

    async def _wait(self, deadline: Deadline, asked: list[Asked]) -> None:
        self.asked += asked
        left = deadline.left()
        await asyncio.sleep(min(self._delay, left))
        if self._delay >= left:
            raise ModelError(f"{self.name}: no answer by the deadline", Cause.DEADLINE)
