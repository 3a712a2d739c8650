"""One model call of a ranking, recorded whatever comes of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from recall.errors import ModelError
from rerank.types import Call, Cause, ChatModel, Deadline, Message, Reply, Sampling, Usage

FATAL = frozenset(
    {Cause.DEADLINE, Cause.BUDGET, Cause.BREAKER_OPEN, Cause.CONNECTION, Cause.UNSUPPORTED, Cause.BAD_REQUEST}
)
"""Causes after which the next call of the same request has no better chance."""


async def ask(
    model: ChatModel,
    messages: Sequence[Message],
    *,
    task: Literal["rank", "reasons"],
    max_tokens: int,
    deadline: Deadline,
    schema: Mapping[str, Any] | None = None,
) -> tuple[Reply | None, Call]:
    """The reply, or None when the call failed; the record says why."""
    began = time.monotonic()
    try:
        if deadline.left() <= 0:
            raise ModelError("the deadline has passed", Cause.DEADLINE)
        reply = await model.chat(
            messages, sampling=Sampling(max_tokens=max_tokens), deadline=deadline, schema=schema
        )
    except ModelError as error:
        spent = time.monotonic() - began
        return None, Call(task, tuple(messages), None, model.name, Usage(), spent, error=Cause(error.cause))
    return reply, Call(
        task, tuple(messages), reply.text, reply.model, reply.usage, reply.seconds, cached=reply.cached
    )
