"""Pointwise: one yes/no question per candidate; its score is log P(yes) − log P(no).

The questions share everything but their last lines, so a prefix cache reads the history once. Calibration
subtracts what the model answers about the item when nothing is known of the person: without it, famous
titles win everywhere. A score depends on no other candidate, so it may be kept.
"""

from __future__ import annotations

import math
from dataclasses import replace

from recall.errors import ModelError
from rerank.methods.fit import fit
from rerank.methods.keep_order import kept
from rerank.methods.method import RankTask, places
from rerank.methods.scoring import score_labels
from rerank.summary import EMPTY
from rerank.types import Cause, ChatModel, Deadline, LabelScores, Ranking

ANSWERS = {"en": ("Yes", "No"), "zh": ("是", "否")}
"""The two answers by the prompt's language; a prompt's `defaults: {answers: [..]}` replaces them."""


class Pointwise:
    name = "pointwise"
    prompt = "pointwise"
    needs: tuple[str, ...] = ("logprobs",)

    async def rank(self, task: RankTask, model: ChatModel, deadline: Deadline) -> Ranking:
        n = len(task.candidates)
        if n == 0:
            return kept(0, Cause.NO_CANDIDATES)
        try:
            task, _, repairs = await fit(task, model, deadline, 1, lambda t, p: t.ask(p, ("",)), lambda _: 1)
        except ModelError as error:
            return kept(n, Cause(error.cause))
        settings = task.settings
        yes, no = task.prompt.defaults.get("answers") or ANSWERS[task.prompt.language]
        prompts = [task.ask([place], ("",)) for place in range(n)]
        calibrate = settings.calibrate and bool(task.summary.lines)
        if calibrate:
            nobody = replace(task, summary=EMPTY, wish=None)
            prompts += [nobody.ask([place], ("",)) for place in range(n)]
        scores, calls, cause = await score_labels(
            model,
            prompts,
            (yes, no),
            batch=settings.batch,
            concurrency=settings.concurrency,
            deadline=deadline,
        )
        odds = [_log_odds(score, yes, no) for score in scores]
        final: dict[int, float] = {}
        for place in range(n):
            said, prior = odds[place], odds[n + place] if calibrate else 0.0
            if said is not None and prior is not None:
                final[place] = said - prior
        if not final:
            return replace(kept(n, cause or Cause.UNPARSABLE), calls=tuple(calls), repairs=dict(repairs))
        if len(final) < n and cause is None:
            repairs["missing"] += n - len(final)
        order = sorted(range(n), key=lambda place: -final.get(place, -math.inf))
        asked = final if cause else order
        return Ranking(
            tuple(order),
            places(order, final, asked),
            scores=tuple(final.get(place, -math.inf) for place in order),
            calls=tuple(calls),
            repairs=dict(repairs),
            cause=cause,
        )


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
