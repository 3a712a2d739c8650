"""One case put to one arm through the pipeline, and the row that is kept of the answer."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from evals.arms import Arm
from evals.profiles import with_profile
from evals.recorder import JOB, Job
from recall.types import History
from rerank.blend import blend
from rerank.pipeline import Pipeline
from rerank.types import Cause, Deadline, RankedItem, Recommendation, Request, Status

OK, PARTIAL, FAILED, ASIDE = "ok", "partial", "failed", "set aside"
"""A row's status: a model ranked all; some of its calls failed; none worked and the order is recall's; the
target's title stands in a prompt outside the candidates."""


async def ask(pipeline: Pipeline, arm: Arm, job: Job, *, seed: int) -> dict[str, Any]:
    """The row. Positions in it are those of the case's frozen list, places count from 0.

    LeakError when a prompt holds what is held out.
    """
    case = job.case
    shown = arm.shown(case, job.repeat, seed)
    given = tuple(replace(case.candidates[at], rank=place) for place, at in enumerate(shown))
    explained = arm.config is not None and arm.reasons.enabled
    request = Request(
        person=case.person,
        platform=case.platform,
        k=min(arm.config.shown, len(given)) if explained and arm.config else len(given),
        n=len(given),
        depth=len(given),
        wish=case.wish,
        as_of=case.as_of,
        deadline=Deadline.after(arm.rank.deadline),
        mode="recall" if arm.fixed else "explain" if explained else "rank",
        history=History(case.person, case.history),
        candidates=given,
    )
    token = JOB.set(job)
    try:
        if arm.knowledge.profile != "off" and pipeline.model is not None and not arm.fixed:
            pipeline = await with_profile(pipeline, arm, job)
        answer = await pipeline.recommend(request)
    finally:
        JOB.reset(token)
    if job.leak is not None:
        raise job.leak
    return _row(arm, job, answer, shown)


def _row(arm: Arm, job: Job, answer: Recommendation, shown: list[int]) -> dict[str, Any]:
    case, how = job.case, answer.provenance
    order = [shown[at] for at in _order(arm, answer, len(shown))]
    said = answer.ranking
    row: dict[str, Any] = {
        "arm": arm.name,
        "repeat": job.repeat,
        "person": case.person,
        "status": _status(arm, job, answer),
        "cause": how.cause,
        "place": order.index(case.slot) if case.slot is not None else None,
        "order": order,
    }
    if arm.fixed:
        return row
    return row | {
        "shown": shown if arm.config and arm.config.shuffle else None,
        "said": [shown[at] for at in said.order] if said is not None else None,
        "named": sum(place == "model" for place in said.places) if said is not None else 0,
        "model": how.model,
        "weight": how.weight,
        "prompt": how.prompt,
        "prompt_hash": how.prompt_hash,
        "repairs": dict(how.repairs),
        "calls": job.keys,
        "usage": asdict(how.usage),
        "milliseconds": {name: round(spent, 1) for name, spent in how.milliseconds.items()},
        "model_seconds": round(sum(call.seconds for call in answer.calls), 4),
        "reasons": [_reason(one) for one in answer.items if one.reason is not None],
        "reason_counts": dict(how.reasons),
        "reasons_status": how.reasons_status,
        "knowledge": dict(how.knowledge),
    }


def _order(arm: Arm, answer: Recommendation, n: int) -> list[int]:
    """The whole final order as places of the list that was given; the answer itself may show fewer."""
    known = {one.item: at for at, one in enumerate(answer.request.candidates or ())}
    first = [known[one.candidate.item] for one in answer.items]
    if len(first) == n or answer.ranking is None:
        return first + [at for at in range(n) if at not in set(first)]
    scores = [one.score for one in answer.request.candidates or ()]
    whole = blend(scores, answer.ranking, answer.provenance.weight, arm.rank.cap).order
    if list(whole[: len(first)]) != first:
        raise AssertionError("the answer's order is not the blend's")
    return list(whole)


def _status(arm: Arm, job: Job, answer: Recommendation) -> str:
    how = answer.provenance
    if job.shows_title:
        return ASIDE
    if not arm.asks or how.cause == Cause.KEEP_ORDER:
        return OK
    if how.rerank_status == Status.SKIPPED:
        return FAILED
    return OK if how.cause is None else PARTIAL


def _reason(ranked: RankedItem) -> dict[str, Any]:
    reason = ranked.reason
    assert reason is not None
    return {
        "item": ranked.item.id,
        "rank": ranked.rank,
        "text": reason.text,
        "author": reason.author,
        "checked": reason.checked,
        "withheld": reason.withheld,
        "evidence": [asdict(one) for one in reason.evidence],
    }
