"""Logits: one decoding step per window, ordered by the log-probabilities of the candidates' labels.

As FIRST (Reddy et al. 2024) reads an order from the first token. Long lists go by tournament: groups are
asked at the same time, the best quarter of each meets in the next round, until one group is left; so 300
candidates take three rounds of calls that run together instead of 29 one after the other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from recall.errors import ModelError
from rerank.labels import SINGLE, candidate_labels
from rerank.methods.fit import fit
from rerank.methods.keep_order import kept
from rerank.methods.method import RankTask, places
from rerank.methods.scoring import score_labels
from rerank.types import Call, Cause, ChatModel, Deadline, Message, Ranking
from rerank.windows import aggregate, deal, orders

MAX_WINDOW = 20
"""Endpoints give at most 20 alternatives per token, so more labels would go unseen."""


@dataclass
class _Log:
    calls: list[Call] = field(default_factory=list)
    named: set[int] = field(default_factory=set)
    asked: set[int] = field(default_factory=set)
    cause: Cause | None = None


class Logits:
    name = "logits"
    prompt = "logits"
    needs: tuple[str, ...] = ("logprobs",)

    async def rank(self, task: RankTask, model: ChatModel, deadline: Deadline) -> Ranking:
        n = len(task.candidates)
        if n == 0:
            return kept(0, Cause.NO_CANDIDATES)
        try:
            seen = (await model.capabilities(deadline)).top_logprobs or MAX_WINDOW
            size = max(2, min(task.settings.window, seen, MAX_WINDOW, SINGLE))
            task, size, shrunk = await fit(task, model, deadline, size, _messages, lambda _: 1)
        except ModelError as error:
            return kept(n, Cause(error.cause))
        log, runs = _Log(), []
        for start in orders(n, task.settings.shuffles, task.settings.seed):
            runs.append(await _tournament(task, start, size, model, deadline, log))
        order = runs[0] if len(runs) == 1 else aggregate(runs)
        repairs = Counter(shrunk)
        if not log.named:
            nothing = kept(n, log.cause or Cause.UNPARSABLE)
            return replace(nothing, calls=tuple(log.calls), repairs=dict(repairs))
        if unseen := len(log.asked - log.named):
            repairs["missing"] = unseen
        where = places(order, log.named, log.asked)
        return Ranking(tuple(order), where, calls=tuple(log.calls), repairs=dict(repairs), cause=log.cause)


async def _tournament(
    task: RankTask, start: Sequence[int], size: int, model: ChatModel, deadline: Deadline, log: _Log
) -> list[int]:
    """All places in order: the last group's, then those who left, latest round first."""
    left: list[list[int]] = []
    playing = list(start)
    while True:
        groups = deal(playing, size)
        ranked = await _groups(task, groups, model, deadline, log)
        if len(ranked) == 1:
            return [*ranked[0], *(place for out in reversed(left) for place in out)]
        if log.cause:  # a round is not complete: those who were compared stand where their groups put them
            return [*_level(ranked), *(place for out in reversed(left) for place in out)]
        forward = max(1, math.ceil(size / 4))
        left.append(_level([group[forward:] for group in ranked]))
        playing = _level([group[:forward] for group in ranked])


async def _groups(
    task: RankTask, groups: list[list[int]], model: ChatModel, deadline: Deadline, log: _Log
) -> list[list[int]]:
    labels = candidate_labels(max(len(group) for group in groups))
    scores, calls, cause = await score_labels(
        model,
        [_messages(task, group) for group in groups],
        labels,
        batch=task.settings.batch,
        concurrency=task.settings.concurrency,
        deadline=deadline,
    )
    log.calls += calls
    log.cause = log.cause or cause
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
        log.asked.update(group)
        log.named.update(found)
        ranked.append(sorted(group, key=lambda place: -found.get(place, -math.inf)))
    return ranked


def _level(groups: Sequence[Sequence[int]]) -> list[int]:
    """All firsts, then all seconds …; groups in their order."""
    longest = max((len(group) for group in groups), default=0)
    return [group[place] for place in range(longest) for group in groups if place < len(group)]


def _messages(task: RankTask, places: Sequence[int]) -> list[Message]:
    return task.ask(places, candidate_labels(len(places)))
