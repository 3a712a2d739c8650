"""A model's orders of validation cases, asked once for each person and kept: every weight is tried on them.

One file of JSON lines: the first says what was asked of whom, each further one holds one person's order. A
run that was cut off goes on where it ended. An order that failed for a passing reason is not kept, but asked
again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from evals.fit.validation import Question
from evals.lines import Lines
from recall.errors import DataError, ModelError
from rerank.methods.method import Place
from rerank.pipeline import Pipeline
from rerank.types import Cause, Deadline, Recommendation, Request

KEPT_CAUSES = frozenset({None, Cause.TRUNCATED, Cause.UNPARSABLE, Cause.CONTEXT})
"""What belongs to the model and the prompt; everything else may go better next time."""

GIVE_UP = 5
"""Failures in a row after which the run ends."""


@dataclass(frozen=True, slots=True)
class Order:
    """One person's case. Positions are those of the candidate list; `target` is None where it is not in it.

    `order` is empty where the model was not asked, because no order of what it sees could help the target.
    """

    person: str
    n: int
    target: int | None
    segments: tuple[str, ...]
    order: tuple[int, ...] = ()
    places: tuple[Place, ...] = ()
    cause: str | None = None
    model: str | None = None
    """As served."""
    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0


class OrderLog:
    """The file of one run; its name is a hash of what is asked, so that another run never reads it."""

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        """DataError when another run writes to it, or when it is damaged."""
        head = json.dumps(identity, sort_keys=True)
        self.path = folder / f"rank-{hashlib.sha256(head.encode()).hexdigest()[:16]}.jsonl"
        self._lines = Lines(self.path)
        try:
            rows = self._lines.rows()
            self.orders = {row["person"]: _order(row) for row in rows[1:]}
        except (TypeError, KeyError) as error:
            raise DataError(f"{self.path} is damaged ({error!r}); remove it to ask again") from error
        if not rows:
            self._lines.add({"asked": identity})

    async def add(self, order: Order) -> None:
        await self._lines.append(asdict(order))
        self.orders[order.person] = order

    def close(self) -> None:
        self._lines.close()


async def record(
    pipeline: Pipeline,
    questions: Sequence[Question],
    log: OrderLog,
    *,
    language: Literal["en", "zh"] = "en",
    concurrency: int = 4,
    seconds: float = 60.0,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Ask what is not in the log yet, `concurrency` people at a time; returns how many failed in passing.

    ModelError when the model fails GIVE_UP times in a row, or says that it can't do this at all.
    """
    todo = iter([question for question in questions if question.person not in log.orders])
    done, failed, in_a_row = len(questions) - sum(q.person not in log.orders for q in questions), 0, 0

    async def work() -> None:
        nonlocal done, failed, in_a_row
        for question in todo:
            order, cause = await _ask(pipeline, question, language, seconds)
            if order is not None:
                await log.add(order)
                in_a_row = 0 if order.calls else in_a_row
            else:
                failed, in_a_row = failed + 1, in_a_row + 1
                if in_a_row >= GIVE_UP or cause in (Cause.UNSUPPORTED, Cause.BAD_REQUEST, Cause.NO_MODEL):
                    raise ModelError(
                        f"the model fails ({cause}); {len(log.orders)} of {len(questions)} people are "
                        f"recorded in {log.path}: once it answers, run this again to go on",
                        str(cause),
                    )
            done += 1
            if progress:
                progress(done, len(questions))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(max(1, concurrency)):
                group.create_task(work())
    except ExceptionGroup as together:
        raise together.exceptions[0] from together
    return failed


async def _ask(
    pipeline: Pipeline, question: Question, language: Literal["en", "zh"], seconds: float
) -> tuple[Order | None, Cause | None]:
    """The order, or None and the cause of a failure that may pass."""
    depth = min(pipeline.rank.depth, len(question.candidates))
    base = Order(question.person, len(question.candidates), question.place, question.segments)
    if question.place is None or question.place >= depth:
        return base, None
    request = Request(
        question.person,
        platform=question.platform,
        k=depth,
        depth=depth,
        as_of=question.as_of,
        deadline=Deadline.after(seconds),
        mode="rank",
        language=language,
        history=question.history,
        candidates=question.candidates,
    )
    answer = await pipeline.recommend(request)
    cause = answer.provenance.cause
    if cause not in KEPT_CAUSES or answer.ranking is None:
        return None, cause
    return _recorded(base, answer), None


def _recorded(base: Order, answer: Recommendation) -> Order:
    how, ranking = answer.provenance, answer.ranking
    assert ranking is not None
    return Order(
        base.person,
        base.n,
        base.target,
        base.segments,
        ranking.order,
        ranking.places,
        how.cause and str(how.cause),
        ranking.model,
        how.calls,
        how.usage.prompt + how.usage.completion,
        round(how.milliseconds.get("rank", 0.0) / 1000, 3),
    )


def _order(row: dict[str, Any]) -> Order:
    lists = {name: tuple(row[name]) for name in ("segments", "order", "places")}
    return Order(**{**row, **lists})
