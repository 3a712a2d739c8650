"""Pointwise: one yes/no question per candidate; its score is log P(yes) − log P(no).

The questions share everything but their last lines, so a prefix cache reads the history once. Calibration
subtracts what the model answers about the item when nothing is known of the person: without it, famous
titles win everywhere. That prior is the same for everybody, so it is asked once and kept.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace

from rerank.methods.account import Account, Answered, accounted
from rerank.methods.fit import fit
from rerank.methods.method import RankTask
from rerank.methods.priors import PRIORS
from rerank.methods.scoring import score_labels
from rerank.summary import EMPTY
from rerank.types import ChatModel, Deadline, LabelScores, Message, Ranking

ANSWERS = {"en": ("Yes", "No"), "zh": ("是", "否")}
"""The two answers by the prompt's language; a prompt's `defaults: {answers: [..]}` replaces them."""


class Pointwise:
    name = "pointwise"
    prompt = "pointwise"
    needs: tuple[str, ...] = ("logprobs",)

    async def rank(self, task: RankTask, model: ChatModel, deadline: Deadline) -> Ranking:
        async def work(account: Account) -> Answered:
            n = len(task.candidates)
            fitted, _, shrunk = await fit(task, model, deadline, 1, _messages, lambda _: 1)
            account.repairs.update(shrunk)
            yes, no = task.prompt.defaults.get("answers") or ANSWERS[task.prompt.language]
            prompts = [_messages(fitted, [place]) for place in range(n)]
            calibrate = task.settings.calibrate and bool(fitted.summary.lines)
            nobody = replace(fitted, summary=EMPTY, wish=None)
            about = [_messages(nobody, [place]) for place in range(n)] if calibrate else []
            priors = PRIORS.get(model, about)
            unknown = [place for place, prior in enumerate(priors) if prior is None]
            scores, calls, cause = await score_labels(
                model,
                prompts + [about[place] for place in unknown],
                (yes, no),
                batch=task.settings.batch,
                gate=asyncio.Semaphore(task.settings.concurrency),
                deadline=deadline,
            )
            account.calls += calls
            account.fail(cause)
            odds = [_log_odds(score, yes, no) for score in scores]
            for place, prior in zip(unknown, odds[n:], strict=True):
                priors[place] = prior
            PRIORS.keep(model, about, priors)
            final = {
                place: said - (prior or 0.0)
                for place, (said, prior) in enumerate(
                    zip(odds[:n], priors if calibrate else [0.0] * n, strict=True)
                )
                if said is not None and prior is not None
            }
            order = sorted(range(n), key=lambda place: -final.get(place, -math.inf))
            account.named.update(final)
            if cause is None:  # without one every question was answered, if only beside the point
                account.asked.update(order)
                if len(final) < n:
                    account.repairs["missing"] += n - len(final)
            return Answered(order, tuple(final.get(place, -math.inf) for place in order))

        return await accounted(task, work)


def _messages(task: RankTask, places: Sequence[int]) -> list[Message]:
    return task.ask(places, ("",))


def _log_odds(score: LabelScores | None, yes: str, no: str) -> float | None:
    """None when neither answer was among the likely tokens; the one that is missing counts as the floor."""
    if score is None:
        return None
    found = [score.logprobs.get(answer) for answer in (yes, no)]
    known = [value for value in found if value is not None and not math.isnan(value)]
    if not known:
        return None
    floor = min(min(known), -20.0)
    first, second = (floor if value is None or math.isnan(value) else value for value in found)
    return first - second
