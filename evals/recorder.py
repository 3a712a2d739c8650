"""A model whose answers are recorded before anybody sees them, so that a resumed run never asks twice.

It also looks at every prompt for leaks, just before it is sent.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import Any

from evals.cases import Case
from evals.leaks import LeakError, check_prompt
from evals.lines import Lines
from recall.errors import ModelError
from recall.types import Item
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


@dataclass
class Job:
    """One case of one arm, while it is asked."""

    case: Case
    arm: str
    repeat: int
    items: Mapping[str, Item]
    """As they are shown."""
    keys: list[str] = field(default_factory=list)
    """Of its calls, in order."""
    asked: Counter[str] = field(default_factory=Counter)
    """How often the same question was asked in this job."""
    shows_title: bool = False
    leak: LeakError | None = None


JOB: ContextVar[Job] = ContextVar("job")
"""Set around `Pipeline.recommend`; calls happen in tasks and threads that inherit it."""


class Calls:
    """The recorded calls of a run, by key; `file` keeps them."""

    def __init__(self, file: Lines) -> None:
        self._file = file
        self.known: dict[str, dict[str, Any]] = {row["key"]: row for row in file.rows()}
        self.made = 0
        """Calls that a model was really asked, in this process."""

    async def add(self, *rows: dict[str, Any]) -> None:
        await self._file.append(*rows)
        for row in rows:
            self.known[row["key"]] = row
        self.made += len(rows)

    def usage(self) -> dict[str, Usage]:
        """Tokens by model over all recorded calls."""
        total: dict[str, Usage] = {}
        for row in self.known.values():
            total[row["model"]] = total.get(row["model"], Usage()) + Usage(**row["usage"])
        return total


class RecordedModel:
    """`model` with its calls recorded. Failures are recorded too, unless they were the deadline's."""

    def __init__(self, model: ChatModel, calls: Calls) -> None:
        self._model, self._calls = model, calls
        self.name, self.weight = model.name, model.weight

    async def capabilities(self, deadline: Deadline) -> Capabilities:
        return await self._model.capabilities(deadline)

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling,
        deadline: Deadline,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        key, known = self._begin(messages, {"sampling": asdict(sampling), "schema": schema})
        if known is None:
            try:
                reply = await self._model.chat(messages, sampling=sampling, deadline=deadline, schema=schema)
            except ModelError as error:
                await self._fail((key, messages), error=error)
                raise
            known = {
                "text": reply.text,
                "truncated": reply.truncated,
                **_account(reply.model, reply.usage, reply.seconds),
            }
            await self._calls.add({"key": key, **_who(), "messages": _texts(messages), **known})
        _raise(known)
        usage, seconds = Usage(**known["usage"]), known["seconds"]
        return Reply(known["text"], known["model"], usage, known["truncated"], seconds)

    async def label_scores(
        self, prompts: Sequence[Sequence[Message]], *, labels: Sequence[str], deadline: Deadline
    ) -> list[LabelScores]:
        begun = [self._begin(prompt, {"labels": list(labels)}) for prompt in prompts]
        fresh = [at for at, (_, known) in enumerate(begun) if known is None]
        made: dict[int, dict[str, Any]] = {}
        if fresh:
            asked = [prompts[at] for at in fresh]
            try:
                scores = await self._model.label_scores(asked, labels=labels, deadline=deadline)
            except ModelError as error:
                await self._fail(*((begun[at][0], prompts[at]) for at in fresh), error=error)
                raise
            for at, score in zip(fresh, scores, strict=True):
                account = _account(score.model, score.usage, score.seconds)
                made[at] = {"logprobs": dict(score.logprobs), **account}
            who = _who()
            await self._calls.add(
                *({"key": begun[at][0], **who, "messages": _texts(prompts[at]), **made[at]} for at in fresh)
            )
        found = []
        for at, (_, known) in enumerate(begun):
            row = known if known is not None else made[at]
            _raise(row)
            found.append(LabelScores(row["logprobs"], row["model"], Usage(**row["usage"]), row["seconds"]))
        return found

    async def count(self, messages: Sequence[Message]) -> int:
        return await self._model.count(messages)

    async def aclose(self) -> None:
        await self._model.aclose()

    def _begin(self, messages: Sequence[Message], rest: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
        """The call's key, and what was recorded under it. LeakError stops before anything is sent."""
        job = JOB.get()
        try:
            if check_prompt(job.case, job.items, messages):
                job.shows_title = True
        except LeakError as error:
            job.leak = error
            raise
        said = json.dumps([self.name, _texts(messages), rest], sort_keys=True)
        number = job.asked[said]
        job.asked[said] += 1
        who = f"{job.arm}\n{job.repeat}\n{job.case.person}\n{number}\n"
        key = hashlib.sha256((who + said).encode("utf-8", "surrogatepass")).hexdigest()[:24]
        job.keys.append(key)
        return key, self._calls.known.get(key)

    async def _fail(self, *asked: tuple[str, Sequence[Message]], error: ModelError) -> None:
        """A deadline is the machine's doing and may be tried again; the rest is an answer of its kind."""
        if error.cause == Cause.DEADLINE:
            return
        row = {"error": str(error.cause), "told": str(error), **_account(self.name, Usage(), 0.0)}
        who = _who()
        await self._calls.add(
            *({"key": key, **who, "messages": _texts(messages), **row} for key, messages in asked)
        )


def _raise(row: Mapping[str, Any]) -> None:
    if "error" in row:
        raise ModelError(row["told"], row["error"])


def _who() -> dict[str, Any]:
    job = JOB.get()
    return {"arm": job.arm, "repeat": job.repeat, "person": job.case.person}


def _account(model: str, usage: Usage, seconds: float) -> dict[str, Any]:
    return {"model": model, "usage": asdict(usage), "seconds": round(seconds, 4)}


def _texts(messages: Sequence[Message]) -> list[list[str]]:
    return [[message.role, message.content] for message in messages]
