"""A model that is asked the same thing once: answers come from the cache, identical calls run as one."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from recall.errors import StoreError
from rerank.llm.asker import Asker, bound, identity
from rerank.llm.cache import LOOK_SECONDS, Cache, Kept
from rerank.llm.flights import Flights
from rerank.types import (
    Capabilities,
    ChatModel,
    Deadline,
    LabelScores,
    Message,
    Reply,
    Sampling,
    Usage,
)


class CachedModel:
    """`model` behind the cache. Unbound it answers for nobody; `bound` gives it as one request uses it.

    Kept are whole answers: not truncated, JSON where JSON was asked for, at temperature 0 or with a seed. One
    that comes from the cache says `cached` and has used no tokens.
    """

    def __init__(
        self, model: ChatModel, cache: Cache, shared: _Shared | None = None, asker: Asker | None = None
    ) -> None:
        self.model, self._cache = model, cache
        self.name, self.weight = model.name, model.weight
        self._shared = shared or _Shared(Flights(model.name))
        self._asker = asker or Asker()

    def bound(self, asker: Asker) -> CachedModel:
        return CachedModel(bound(self.model, asker), self._cache, self._shared, asker)

    async def capabilities(self, deadline: Deadline) -> Capabilities:
        return await self.model.capabilities(deadline)

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling,
        deadline: Deadline,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        def ask() -> Awaitable[Reply]:
            return self.model.chat(messages, sampling=sampling, deadline=deadline, schema=schema)

        if sampling.temperature > 0 and sampling.seed is None:
            return await ask()
        began = time.monotonic()
        question = ["chat", _rows(messages), asdict(sampling), schema]
        keys = await self._keys([question], deadline)
        if not keys:
            return await ask()
        for kept in (await self._known(keys, deadline)).values():
            seconds = time.monotonic() - began
            return Reply(kept.value["text"], kept.model, seconds=seconds, cached=True)
        reply, own = await self._shared.flights.fly(keys[0][0], ask, deadline)
        if not own:
            return replace(reply, usage=Usage(), cached=True)
        self._shared.served = reply.model
        if not reply.truncated and (schema is None or _is_json(reply.text)):
            self._cache.put(*keys[0], reply.model, {"text": reply.text})
        return reply

    async def label_scores(
        self, prompts: Sequence[Sequence[Message]], *, labels: Sequence[str], deadline: Deadline
    ) -> list[LabelScores]:
        """Each prompt is kept by itself: of a list that changed, only what is new is asked."""
        began = time.monotonic()
        keys = await self._keys([["labels", _rows(prompt), list(labels)] for prompt in prompts], deadline)
        if not keys:
            return await self.model.label_scores(prompts, labels=labels, deadline=deadline)
        known = await self._known(keys, deadline)
        fresh = [place for place, (key, _) in enumerate(keys) if key not in known]
        seconds = time.monotonic() - began
        found = {
            place: LabelScores(known[key].value["logprobs"], known[key].model, seconds=seconds, cached=True)
            for place, (key, _) in enumerate(keys)
            if key in known
        }

        def ask() -> Awaitable[list[LabelScores]]:
            asked = [prompts[place] for place in fresh]
            return self.model.label_scores(asked, labels=labels, deadline=deadline)

        if fresh:
            together = "\n".join(keys[place][0] for place in fresh)
            scores, own = await self._shared.flights.fly(together, ask, deadline)
            for place, score in zip(fresh, scores, strict=True):
                if own:
                    self._shared.served = score.model
                    self._cache.put(*keys[place], score.model, {"logprobs": dict(score.logprobs)})
                found[place] = score if own else replace(score, usage=Usage(), cached=True)
        return [found[place] for place in range(len(prompts))]

    async def notes(self, keys: Sequence[Any], deadline: Deadline) -> list[Mapping[str, Any] | None]:
        """What `note` kept under these keys for this model and person; None for what it did not."""
        made = await self._keys([["note", key] for key in keys], deadline)
        known = await self._known(made, deadline)
        return [known[key].value if key in known else None for key, _ in made] or [None] * len(keys)

    async def note(self, key: Any, value: Mapping[str, Any], model: str, deadline: Deadline) -> None:
        """Keep a part of what `model`, as served, answered."""
        for made in await self._keys([["note", key]], deadline):
            self._cache.put(*made, model, value)

    async def count(self, messages: Sequence[Message]) -> int:
        return await self.model.count(messages)

    async def aclose(self) -> None:
        await self.model.aclose()

    async def _keys(self, questions: Sequence[Any], deadline: Deadline) -> list[tuple[str, str]]:
        """Keys of each question and of the person; empty where the store gives none: nothing is kept then."""
        if (who := identity(self.model)) is None:
            served = (await self.model.capabilities(deadline)).model
            who = identity(self.model) or served
        try:
            person = await self._cache.person(self._asker.person)
            return [(await self._cache.key(who, person, question), person) for question in questions]
        except StoreError:
            return []

    async def _known(self, keys: Sequence[tuple[str, str]], deadline: Deadline) -> dict[str, Kept]:
        """Kept answers by key, but for those of a model that is no longer served under this name."""
        served = self._shared.served
        seconds = min(LOOK_SECONDS, deadline.left() / 4)
        known = await self._cache.get((key for key, _ in keys), seconds=seconds)
        return {key: kept for key, kept in known.items() if served in (None, kept.model)}


@dataclass(slots=True)
class _Shared:
    """What all bound copies of a model have together."""

    flights: Flights
    served: str | None = None
    """The model that answered last, as it called itself."""


def _rows(messages: Sequence[Message]) -> list[list[str]]:
    return [[message.role, message.content] for message in messages]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
