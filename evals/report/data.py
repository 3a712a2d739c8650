"""What the report shows, as plain values: the comparisons, and a number of cases with prompts and replies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic_core import to_jsonable_python

from evals.cases import Case, Pool
from evals.cells import told
from evals.comparison import Comparison, gathered
from evals.results import Arm, Results, Row
from evals.stability import kendall
from rerank.summary import day

CASES = 120
"""Cases in the browser: the first by person id of those whose target is among the candidates."""

EVENTS = 60
"""Of a history, the newest."""


def report_data(comparisons: Sequence[Comparison], runs: Sequence[Results]) -> list[dict[str, Any]]:
    """One table of values for each comparison."""
    return [_one(one, [run for run in runs if run.pool.hash == one.pool]) for one in comparisons]


def _one(comparison: Comparison, runs: Sequence[Results]) -> dict[str, Any]:
    arms, pool = gathered(runs), runs[0].pool
    calls: dict[str, Row] = {}
    for run in runs:
        calls |= run.calls()
    cases = [case for case in pool.cases if case.slot is not None][:CASES]
    described = [run.header["config"].get("description") for run in runs]
    plain: Any = to_jsonable_python(comparison, inf_nan_mode="constants", fallback=str)
    return _finite(
        plain
        | {
            "description": " ".join(text for text in described if text),
            "told": told(comparison),
            "follows": {name: _follows(arm) for name, arm in arms.items()},
            "browser": [_case(case, pool, arms, calls) for case in cases],
            "left_out": sum(case.slot is not None for case in pool.cases) - len(cases),
        }
    )


def _follows(arm: Arm) -> float | None:
    """Mean Kendall tau between the arm's order and recall's: 1 keeps it, 0 ignores it."""
    taus = [kendall(sorted(row["order"]), row["order"]) for row in arm.answered]
    return float(np.mean(taus)) if taus else None


def _case(case: Case, pool: Pool, arms: Mapping[str, Arm], calls: Mapping[str, Row]) -> dict[str, Any]:
    return {
        "person": case.person,
        "platform": case.platform,
        "target": case.slot,
        "wish": case.wish,
        "at": day(case.as_of),
        "segments": dict(case.segments),
        "events": len(case.history),
        "history": [
            {
                "platform": event.platform,
                "day": day(event.time),
                "type": event.type,
                "value": event.value,
                "polarity": event.polarity,
                "title": _title(pool, event.item),
            }
            for event in case.history[:EVENTS]
        ],
        "candidates": [
            {"title": _title(pool, one.item), "sources": sorted(one.sources), "score": one.score}
            for one in case.candidates
        ],
        "arms": {
            name: [_answer(row, calls) for row in arm.rows if row["person"] == case.person]
            for name, arm in arms.items()
            if not arm.fixed
        },
    }


def _answer(row: Row, calls: Mapping[str, Row]) -> dict[str, Any]:
    return {
        "repeat": row["repeat"],
        "status": row["status"],
        "cause": row["cause"],
        "order": row["order"],
        "reasons": row.get("reasons", []),
        "calls": [_call(calls[key]) for key in row.get("calls", []) if key in calls],
    }


def _call(call: Row) -> dict[str, Any]:
    reply = call.get("text")
    if reply is None and "logprobs" in call:
        best = sorted(call["logprobs"].items(), key=lambda pair: -pair[1])
        reply = "\n".join(f"{label} {value:.3f}" for label, value in best)
    return {
        "messages": call["messages"],
        "reply": reply if reply is not None else f"{call.get('error')}: {call.get('told')}",
        "model": call["model"],
        "seconds": call["seconds"],
        "usage": call["usage"],
    }


def _title(pool: Pool, item: str) -> str:
    known = pool.items[item].item
    return known.title + (f" ({known.year})" if known.year is not None else "")


def _finite(value: Any) -> Any:
    """NaN and infinities as None, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
