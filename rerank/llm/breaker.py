"""A circuit breaker: an endpoint that keeps failing is left alone for a while, then tried with one call."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from recall.errors import ModelError
from rerank.llm.asker import Asker, bound, identity
from rerank.types import Capabilities, Cause, ChatModel, Deadline, LabelScores, Message, Reply, Sampling

T = TypeVar("T")

OUTAGES = frozenset(
    {Cause.CONNECTION, Cause.SERVER_ERROR, Cause.RATE_LIMITED, Cause.BAD_REPLY, Cause.DEADLINE}
)
"""Failures that speak of the endpoint. A refused or unsupported request speaks of the request."""


class Breaker:
    """Closed until `failures` outages in a row, then open for `seconds`, then half open: one call decides."""

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._seconds, self._clock = failures, seconds, clock
        self._failed = 0
        self._opened: float | None = None
        self._trying = False

    @property
    def state(self) -> str:
        if self._opened is None:
            return "closed"
        return "open" if self._clock() < self._opened + self._seconds else "half open"

    def enter(self) -> bool:
        """Whether a call may go out now; in the half-open state only one at a time may."""
        state = self.state
        if state == "open" or (state == "half open" and self._trying):
            return False
        self._trying = state == "half open"
        return True

    def succeeded(self) -> None:
        self._failed, self._opened, self._trying = 0, None, False

    def failed(self) -> None:
        self._failed += 1
        if self._opened is not None or self._failed >= self._limit:
            self._opened = self._clock()
        self._trying = False

    def left(self) -> None:
        """The call ended without telling anything of the endpoint: cancelled, or refused as a request."""
        self._trying = False


class Guarded:
    """A model behind a breaker: while it is open, calls fail at once with Cause.BREAKER_OPEN."""

    def __init__(self, model: ChatModel, breaker: Breaker) -> None:
        self.model, self.breaker = model, breaker
        self.name, self.weight = model.name, model.weight
        self._known: list[Capabilities] = []  # one place for all bound copies

    @property
    def identity(self) -> str | None:
        return identity(self.model)

    def bound(self, asker: Asker) -> Guarded:
        same = Guarded(bound(self.model, asker), self.breaker)
        same._known = self._known
        return same

    async def capabilities(self, deadline: Deadline) -> Capabilities:
        """Once known they cost no call, so they neither close the breaker nor spend its trial call."""
        if not self._known:
            self._known.append(await self._call(lambda: self.model.capabilities(deadline)))
        elif self.breaker.state == "open":
            raise self._left_alone()
        return self._known[0]

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling,
        deadline: Deadline,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        return await self._call(
            lambda: self.model.chat(messages, sampling=sampling, deadline=deadline, schema=schema)
        )

    async def label_scores(
        self, prompts: Sequence[Sequence[Message]], *, labels: Sequence[str], deadline: Deadline
    ) -> list[LabelScores]:
        return await self._call(lambda: self.model.label_scores(prompts, labels=labels, deadline=deadline))

    async def count(self, messages: Sequence[Message]) -> int:
        return await self.model.count(messages)

    async def aclose(self) -> None:
        await self.model.aclose()

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        if not self.breaker.enter():
            raise self._left_alone()
        try:
            result = await call()
        except ModelError as error:
            if error.cause in OUTAGES:
                self.breaker.failed()
            else:
                self.breaker.left()
            raise
        except BaseException:
            self.breaker.left()
            raise
        self.breaker.succeeded()
        return result

    def _left_alone(self) -> ModelError:
        return ModelError(f"{self.name}: left alone after repeated failures", Cause.BREAKER_OPEN)


def open_breakers(model: object) -> dict[str, bool]:
    """Of each guarded endpoint in `model`, whether it is left alone now; empty where there is no breaker."""
    if isinstance(model, Guarded):
        return {model.name: model.breaker.state == "open"}
    inner = getattr(model, "models", None) or [getattr(model, "model", None)]
    return {name: state for one in inner if one is not None for name, state in open_breakers(one).items()}
