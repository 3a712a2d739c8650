"""Several endpoints in order: the next is asked when one fails, while the deadline allows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from recall.errors import ModelError
from rerank.llm.asker import Asker, bound
from rerank.llm.breaker import OUTAGES
from rerank.types import Capabilities, Cause, ChatModel, Deadline, LabelScores, Message, Reply, Sampling

T = TypeVar("T")

SHARE = 0.5
"""Share of the time left that an endpoint may use while another one stands behind it."""


class Fallback:
    """The first model that answers. `models` is not empty; name and weight are the first one's."""

    def __init__(self, models: Sequence[ChatModel]) -> None:
        self.models = tuple(models)
        self.name = self.models[0].name
        self.weight = self.models[0].weight

    def bound(self, asker: Asker) -> Fallback:
        return Fallback([bound(model, asker) for model in self.models])

    async def capabilities(self, deadline: Deadline) -> Capabilities:
        return await self._first(lambda model, until: model.capabilities(until), deadline)

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling,
        deadline: Deadline,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        return await self._first(
            lambda model, until: model.chat(messages, sampling=sampling, deadline=until, schema=schema),
            deadline,
        )

    async def label_scores(
        self, prompts: Sequence[Sequence[Message]], *, labels: Sequence[str], deadline: Deadline
    ) -> list[LabelScores]:
        return await self._first(
            lambda model, until: model.label_scores(prompts, labels=labels, deadline=until), deadline
        )

    async def count(self, messages: Sequence[Message]) -> int:
        """The largest of the models' counts, so that the prompt fits whichever answers."""
        return max([await model.count(messages) for model in self.models])

    async def aclose(self) -> None:
        for model in self.models:
            await model.aclose()

    async def _first(self, ask: Callable[[ChatModel, Deadline], Awaitable[T]], deadline: Deadline) -> T:
        for model in self.models[:-1]:
            try:
                return await ask(model, Deadline.after(deadline.left() * SHARE))
            except ModelError as error:
                if error.cause not in OUTAGES | {Cause.BREAKER_OPEN}:
                    raise
        return await ask(self.models[-1], deadline)
