"""Listwise: the model answers an order of labels as JSON; long lists in windows from back to front.

Sliding windows are those of RankGPT (Sun et al. 2023): each carries its best forward into the next, so those
of one pass follow one another. Shuffled starting orders run at the same time and are aggregated by mean
rank. A prompt with a `profile` slot gets the person's stored profile, or one that is written in one call
before.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from prompts import load
from recall.errors import ModelError
from rerank.labels import candidate_labels, order_schema
from rerank.methods.account import Account, Answered, accounted
from rerank.methods.asking import FATAL, ask
from rerank.methods.fit import fit
from rerank.methods.method import RankTask
from rerank.reply import parse_order, strip_wrapping
from rerank.types import Cause, ChatModel, Deadline, Message, Ranking
from rerank.untrusted import clean
from rerank.windows import aggregate, orders, sliding
from rerank.wording import PROFILE_CHARS, messages

PROFILE_TOKENS = 200


class Listwise:
    name = "listwise"
    prompt = "listwise"
    needs: tuple[str, ...] = ()

    async def rank(self, task: RankTask, model: ChatModel, deadline: Deadline) -> Ranking:
        async def work(account: Account) -> Answered:
            profile = await _profile(task, model, deadline, account)
            fitted, window, shrunk = await fit(
                task,
                model,
                deadline,
                task.settings.window,
                lambda t, p: _messages(t, p, profile),
                _answer_tokens,
            )
            account.repairs.update(shrunk)
            gate = asyncio.Semaphore(task.settings.concurrency)
            passes = _Passes(fitted, window, profile, model, deadline, gate, account)
            starts = orders(len(task.candidates), task.settings.shuffles, task.settings.seed)
            runs = await asyncio.gather(*(passes.run(start) for start in starts))
            return Answered(runs[0] if len(runs) == 1 else aggregate(runs))

        return await accounted(task, work)


@dataclass(frozen=True)
class _Passes:
    task: RankTask
    window: int
    profile: str
    model: ChatModel
    deadline: Deadline
    gate: asyncio.Semaphore
    account: Account

    async def run(self, order: list[int]) -> list[int]:
        """All passes over one starting order; what failed leaves its window as it was."""
        stride = min(self.task.settings.stride, max(1, self.window - 1))
        for _ in range(self.task.settings.passes):
            for start, stop in sliding(len(order), self.window, stride):
                async with self.gate:
                    order[start:stop], cause = await self._window(order[start:stop])
                if cause in FATAL:
                    return order
        return order

    async def _window(self, part: list[int]) -> tuple[list[int], Cause | None]:
        labels, account = candidate_labels(self.window), self.account
        reply, call = await ask(
            self.model,
            _messages(self.task, part, self.profile),
            task="rank",
            max_tokens=_answer_tokens(len(part)),
            deadline=self.deadline,
            schema=order_schema(labels),
        )
        account.calls.append(call)
        if reply is None:
            account.fail(call.error)
            return part, call.error
        parsed = parse_order(reply.text, labels, len(part))
        account.repairs.update(parsed.repairs)
        if parsed.named == 0:
            cause = Cause.TRUNCATED if reply.truncated else Cause.UNPARSABLE
            account.fail(cause)
            return part, cause
        if reply.truncated:
            account.fail(Cause.TRUNCATED)
        ordered = [part[position] for position in parsed.order]
        account.named.update(ordered[: parsed.named])
        account.asked.update(ordered)
        return ordered, None


async def _profile(task: RankTask, model: ChatModel, deadline: Deadline, account: Account) -> str:
    """The taste profile, cleaned, where the prompt has a place for it: the stored one, else one that is
    written now, if there is a history."""
    if "profile" not in task.prompt.placeholders:
        return ""
    if task.profile:
        return clean(task.profile, PROFILE_CHARS)
    if not task.summary.lines:
        return ""
    prompt = load("profile", language=task.prompt.language).bound(**task.prompt.words)
    asked = messages(prompt, task.summary, (), (), platform=task.platform, wish=task.wish)
    reply, call = await ask(model, asked, task="rank", max_tokens=PROFILE_TOKENS, deadline=deadline)
    account.calls.append(call)
    if reply is None:
        account.fail(call.error)
        if call.error in FATAL:
            raise ModelError("the taste profile could not be written", str(call.error))
        return ""
    return clean(strip_wrapping(reply.text, Counter()), PROFILE_CHARS)


def _messages(task: RankTask, part: Sequence[int], profile: str) -> list[Message]:
    return task.ask(part, candidate_labels(max(len(part), 1)), profile=profile)


def _answer_tokens(n: int) -> int:
    return 6 * n + 40
