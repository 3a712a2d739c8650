"""Listwise: the model answers an order of labels as JSON; long lists in windows from back to front.

Sliding windows are those of RankGPT (Sun et al. 2023). Shuffled starting orders run at the same time and are
aggregated by mean rank. A prompt with a `profile` slot gets a taste profile, written in one call before.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from prompts import load
from recall.errors import ModelError
from rerank.labels import candidate_labels, order_schema
from rerank.methods.asking import FATAL, ask
from rerank.methods.fit import fit
from rerank.methods.keep_order import kept
from rerank.methods.method import RankTask, places
from rerank.reply import parse_order, strip_wrapping
from rerank.types import Call, Cause, ChatModel, Deadline, Message, Ranking
from rerank.untrusted import clean
from rerank.windows import aggregate, orders, sliding
from rerank.wording import PROFILE_CHARS, messages

PROFILE_TOKENS = 200


@dataclass
class _Log:
    """What happened over all calls of one ranking. `failed` keeps the first cause."""

    calls: list[Call] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)
    named: set[int] = field(default_factory=set)
    filled: set[int] = field(default_factory=set)
    failed: Cause | None = None

    def fail(self, cause: Cause | None) -> None:
        self.failed = self.failed or cause


class Listwise:
    name = "listwise"
    prompt = "listwise"
    needs: tuple[str, ...] = ()

    async def rank(self, task: RankTask, model: ChatModel, deadline: Deadline) -> Ranking:
        settings, n = task.settings, len(task.candidates)
        if n == 0:
            return kept(0, Cause.NO_CANDIDATES)
        log = _Log()
        try:
            profile = await _profile(task, model, deadline, log)
            task, window, shrunk = await fit(
                task, model, deadline, settings.window, lambda t, p: _messages(t, p, profile), _answer_tokens
            )
        except ModelError as error:
            return replace(kept(n, Cause(error.cause)), calls=tuple(log.calls))
        log.repairs.update(shrunk)
        gate = asyncio.Semaphore(settings.concurrency)
        starts = orders(n, settings.shuffles, settings.seed)
        runs = await asyncio.gather(
            *(_run(task, start, window, profile, model, deadline, gate, log) for start in starts)
        )
        order = runs[0] if len(runs) == 1 else aggregate(runs)
        if not log.named:
            nothing = kept(n, log.failed or Cause.UNPARSABLE)
            return replace(nothing, calls=tuple(log.calls), repairs=dict(log.repairs))
        where = places(order, log.named, log.filled)
        return Ranking(
            tuple(order), where, calls=tuple(log.calls), repairs=dict(log.repairs), cause=log.failed
        )


async def _run(
    task: RankTask,
    order: list[int],
    window: int,
    profile: str,
    model: ChatModel,
    deadline: Deadline,
    gate: asyncio.Semaphore,
    log: _Log,
) -> list[int]:
    """All passes over one starting order; what failed leaves its window as it was."""
    stride = min(task.settings.stride, max(1, window - 1))
    for _ in range(task.settings.passes):
        for start, stop in sliding(len(order), window, stride):
            async with gate:
                part, cause = await _window(task, order[start:stop], window, profile, model, deadline, log)
            order[start:stop] = part
            if cause in FATAL:
                return order
    return order


async def _window(
    task: RankTask,
    part: list[int],
    window: int,
    profile: str,
    model: ChatModel,
    deadline: Deadline,
    log: _Log,
) -> tuple[list[int], Cause | None]:
    labels = candidate_labels(window)
    reply, call = await ask(
        model,
        _messages(task, part, profile),
        task="rank",
        max_tokens=_answer_tokens(len(part)),
        deadline=deadline,
        schema=order_schema(labels),
    )
    log.calls.append(call)
    if reply is None:
        log.fail(call.error)
        return part, call.error
    parsed = parse_order(reply.text, labels, len(part))
    log.repairs.update(parsed.repairs)
    if parsed.named == 0:
        cause = Cause.TRUNCATED if reply.truncated else Cause.UNPARSABLE
        log.fail(cause)
        return part, cause
    if reply.truncated:
        log.fail(Cause.TRUNCATED)
    ordered = [part[position] for position in parsed.order]
    log.named.update(ordered[: parsed.named])
    log.filled.update(ordered[parsed.named :])
    return ordered, None


async def _profile(task: RankTask, model: ChatModel, deadline: Deadline, log: _Log) -> str:
    """The written taste profile, cleaned, where the prompt has a place for it and there is a history."""
    if "profile" not in task.prompt.placeholders or not task.summary.lines:
        return ""
    prompt = load("profile", language=task.prompt.language).bound(**task.prompt.words)
    asked = messages(prompt, task.summary, (), (), platform=task.platform, wish=task.wish)
    reply, call = await ask(model, asked, task="rank", max_tokens=PROFILE_TOKENS, deadline=deadline)
    log.calls.append(call)
    if reply is None:
        log.fail(call.error)
        if call.error in FATAL:
            raise ModelError("the taste profile could not be written", str(call.error))
        return ""
    return clean(strip_wrapping(reply.text, Counter()), PROFILE_CHARS)


def _messages(task: RankTask, part: Sequence[int], profile: str) -> list[Message]:
    return task.ask(part, candidate_labels(max(len(part), 1)), profile=profile)


def _answer_tokens(n: int) -> int:
    return 6 * n + 40
