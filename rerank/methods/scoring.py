"""Log-probabilities of labels for many prompts: in batches, at the same time, recorded as calls."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

from recall.errors import ModelError
from rerank.types import Call, Cause, ChatModel, Deadline, LabelScores, Message, Usage


async def score_labels(
    model: ChatModel,
    prompts: Sequence[Sequence[Message]],
    labels: Sequence[str],
    *,
    batch: int,
    gate: asyncio.Semaphore,
    deadline: Deadline,
) -> tuple[list[LabelScores | None], list[Call], Cause | None]:
    """Scores for each prompt (None where its batch failed), one call per batch, and the first cause.

    `gate` bounds the calls of one request that are under way; an endpoint has its own bound besides.
    """
    scores: list[LabelScores | None] = [None] * len(prompts)
    calls: list[Call] = []
    causes: list[Cause] = []

    async def one(start: int) -> None:
        part = prompts[start : start + batch]
        async with gate:
            began = time.monotonic()
            try:
                if deadline.left() <= 0:
                    raise ModelError("the deadline has passed", Cause.DEADLINE)
                found = await model.label_scores(part, labels=labels, deadline=deadline)
            except ModelError as error:
                spent = time.monotonic() - began
                cause = Cause(error.cause)
                causes.append(cause)
                calls.append(Call("rank", tuple(part[0]), None, model.name, Usage(), spent, error=cause))
                return
        scores[start : start + batch] = found
        usage = sum((score.usage for score in found), Usage())
        text = json.dumps([dict(score.logprobs) for score in found])
        seconds = time.monotonic() - began
        cached = all(score.cached for score in found)
        calls.append(Call("rank", tuple(part[0]), text, found[0].model, usage, seconds, cached=cached))

    await asyncio.gather(*(one(start) for start in range(0, len(prompts), batch)))
    return scores, calls, causes[0] if causes else None
