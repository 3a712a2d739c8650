"""The reasons of one answer, each settled as soon as the call that brings it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from rerank.ground import Ground
from rerank.provenance import ReasonsAccount
from rerank.reasons import ReasonTask, Written, write_reasons
from rerank.settle import Judge
from rerank.stopwatch import Stopwatch
from rerank.templates import Facts
from rerank.types import ChatModel, Deadline, Reason


async def explain(
    task: ReasonTask,
    ground: Ground,
    model: ChatModel | None,
    deadline: Deadline,
    *,
    floor: float,
    watch: Stopwatch,
    account: ReasonsAccount,
    facts: Facts | None = None,
) -> AsyncGenerator[tuple[int, Reason]]:
    """Every place of `task.items` with its reason, as they get ready; without a model all are templates.

    `facts` gives the facts that count, by item id. `account` is closed at the end. Closing the iterator
    cancels the calls under way.
    """
    places = tuple(range(len(task.items)))
    because = asyncio.ensure_future(asyncio.to_thread(ground.because, task.items))
    judge: Judge | None = None
    try:
        async with aclosing(_written(places, task, model, deadline)) as calls:
            while True:
                with watch("reasons"):
                    written = await anext(calls, None)
                if written is None:
                    break
                with watch("explain"):
                    if judge is None:
                        carrying = await asyncio.shield(because)
                        judge = Judge(task, carrying, ground.history, floor=floor, facts=facts)
                    settled = await asyncio.to_thread(judge.settle, written.places, written.drafts)
                account.wrote(written)
                for place, reason in settled:
                    account.settled(reason)
                    yield place, reason
    finally:
        because.cancel()
    account.close()


async def _written(
    places: tuple[int, ...], task: ReasonTask, model: ChatModel | None, deadline: Deadline
) -> AsyncGenerator[Written]:
    if model is None:
        yield Written(places)
        return
    async with aclosing(write_reasons(task, model, deadline)) as calls:
        async for written in calls:
            yield written
