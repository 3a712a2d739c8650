"""Logits: one decoding step per window, ordered by the log-probabilities of the candidates' labels.

As FIRST (Reddy et al. 2024) reads an order from the first token. Long lists go by tournament: groups are
asked at the same time, the best quarter of each meets in the next round, until one group is left; so 300
candidates take three rounds of calls that run together instead of 29 one after the other. Shuffled starting
orders play at the same time and are aggregated by mean rank.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

from rerank.labels import SINGLE, candidate_labels
from rerank.methods.account import Account, Answered, accounted
from rerank.methods.fit import fit
from rerank.methods.method import RankTask
from rerank.methods.scoring import score_labels
from rerank.types import ChatModel, Deadline, Message, Ranking
from rerank.windows import aggregate, deal, orders

MAX_WINDOW = 20
"""Endpoints give at most 20 alternatives per token, so more labels would go unseen."""


class Logits:
    name = "logits"
    prompt = "logits"
    needs: tuple[str, ...] = ("logprobs",)

    async def rank(self, task: RankTask, model: ChatModel, deadline: Deadline) -> Ranking:
        async def work(account: Account) -> Answered:
            seen = (await model.capabilities(deadline)).top_logprobs or MAX_WINDOW
            size = max(2, min(task.settings.window, seen, MAX_WINDOW, SINGLE))
            fitted, size, shrunk = await fit(task, model, deadline, size, _messages, lambda _: 1)
            account.repairs.update(shrunk)
            gate = asyncio.Semaphore(task.settings.concurrency)
            starts = orders(len(task.candidates), task.settings.shuffles, task.settings.seed)
            games = [_Tournament(fitted, size, model, deadline, gate, Account()) for _ in starts]
            runs = await asyncio.gather(
                *(game.play(start) for game, start in zip(games, starts, strict=True))
            )
            for game in games:
                account.add(game.account)
            if unseen := len(account.asked - account.named):
                account.repairs["missing"] += unseen
            return Answered(runs[0] if len(runs) == 1 else aggregate(runs))

        return await accounted(task, work)


@dataclass(frozen=True)
class _Tournament:
    task: RankTask
    size: int
    model: ChatModel
    deadline: Deadline
    gate: asyncio.Semaphore
    account: Account
    """Of this tournament alone: another's failure does not end it."""

    async def play(self, start: Sequence[int]) -> list[int]:
        """All places in order: the last group's, then those who left, latest round first."""
        left: list[list[int]] = []
        playing = list(start)
        while True:
            ranked = await self._round(deal(playing, self.size))
            if len(ranked) == 1:
                return [*ranked[0], *(place for out in reversed(left) for place in out)]
            if self.account.cause:  # a round is not complete: all stand where their groups put them
                return [*_level(ranked), *(place for out in reversed(left) for place in out)]
            forward = max(1, math.ceil(self.size / 4))
            left.append(_level([group[forward:] for group in ranked]))
            playing = _level([group[:forward] for group in ranked])

    async def _round(self, groups: list[list[int]]) -> list[list[int]]:
        labels = candidate_labels(max(len(group) for group in groups))
        scores, calls, cause = await score_labels(
            self.model,
            [_messages(self.task, group) for group in groups],
            labels,
            batch=self.task.settings.batch,
            gate=self.gate,
            deadline=self.deadline,
        )
        account = self.account
        account.calls += calls
        account.fail(cause)
        ranked = []
        for group, score in zip(groups, scores, strict=True):
            if score is None:
                ranked.append(group)
                continue
            found = {
                place: score.logprobs[label]
                for place, label in zip(group, labels, strict=False)
                if not math.isnan(score.logprobs.get(label, math.nan))
            }
            account.asked.update(group)
            account.named.update(found)
            ranked.append(sorted(group, key=lambda place: -found.get(place, -math.inf)))
        return ranked


def _level(groups: Sequence[Sequence[int]]) -> list[int]:
    """All firsts, then all seconds …; groups in their order."""
    longest = max((len(group) for group in groups), default=0)
    return [group[place] for place in range(longest) for group in groups if place < len(group)]


def _messages(task: RankTask, places: Sequence[int]) -> list[Message]:
    return task.ask(places, candidate_labels(len(places)))
