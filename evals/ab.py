"""What served recommendations led to, by arm: conversion, clicks, acceptance, satisfaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chisquare
from sqlalchemy import case, distinct, func, select

from evals.intervals import Interval
from evals.paired import detectable
from recall.errors import NotFound
from recall.store.engine import Store
from rerank.journal.tables import FEEDBACK, SERVED

KINDS = ("seen", "clicked", "accepted", "rejected")
SUSPICIOUS = 0.001
"""A sample-ratio p below this says that people were not dealt to the arms as planned."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Served answers as parallel arrays; `unit` is the person, or the answer where nobody is named."""

    arm: np.ndarray
    unit: np.ndarray
    propensity: np.ndarray
    counts: np.ndarray
    """int64[answers × KINDS]: distinct items with such feedback."""
    ratings: np.ndarray
    """float64[answers × 2]: sum and number."""


@dataclass(frozen=True, slots=True)
class Share:
    """A measure with its 95 % interval over people; `difference` to the control, None for itself."""

    value: Interval
    difference: Interval | None


@dataclass(frozen=True, slots=True)
class ArmServed:
    arm: str
    people: int
    answers: int
    conversion: Share
    """Share of answers of which an item was accepted."""
    clicks: Share
    """Share of answers of which an item was clicked."""
    acceptance: Share
    """Accepted items over accepted and rejected ones."""
    satisfaction: Share
    """Mean rating."""
    detectable: float | None
    """Smallest true difference in conversion to the control that these people would show with 80 % power."""


@dataclass(frozen=True, slots=True)
class Served:
    """`ratio_p`: of the sample-ratio check; `suspicious` when people were not dealt as planned."""

    experiment: str | None
    scenario: str | None
    control: str
    arms: tuple[ArmServed, ...]
    ratio_p: float | None
    suspicious: bool


async def load_answers(
    store: Store, *, experiment: str | None = None, scenario: str | None = None, since: int = 0
) -> Answers:
    """One row for each answer that names an arm; counted in the database."""
    kinds = [
        func.count(distinct(case((FEEDBACK.c.kind == kind, FEEDBACK.c.item)))).label(kind) for kind in KINDS
    ]
    rated = FEEDBACK.c.kind == "rated"
    columns = [
        SERVED.c.id,
        SERVED.c.person,
        SERVED.c.arm,
        SERVED.c.propensity,
        *kinds,
        func.sum(case((rated, FEEDBACK.c.value), else_=0.0)).label("rating"),
        func.sum(case((rated & FEEDBACK.c.value.is_not(None), 1), else_=0)).label("ratings"),
    ]
    asked = (
        select(*columns)
        .select_from(SERVED.outerjoin(FEEDBACK, FEEDBACK.c.served == SERVED.c.id))
        .where(SERVED.c.arm.is_not(None), SERVED.c.time >= since)
        .group_by(SERVED.c.id, SERVED.c.person, SERVED.c.arm, SERVED.c.propensity)
        .order_by(SERVED.c.id)
    )
    if experiment is not None:
        asked = asked.where(SERVED.c.experiment == experiment)
    if scenario is not None:
        asked = asked.where(SERVED.c.scenario == scenario)
    async with store.read() as connection:
        rows = (await connection.execute(asked)).all()
    return Answers(
        arm=np.array([row.arm for row in rows], dtype=object),
        unit=np.array([row.person or f"answer {row.id}" for row in rows], dtype=object),
        propensity=np.array([row.propensity for row in rows], np.float64),
        counts=np.array([[getattr(row, kind) for kind in KINDS] for row in rows], np.int64).reshape(-1, 4),
        ratings=np.array([[row.rating or 0.0, row.ratings or 0] for row in rows], np.float64).reshape(-1, 2),
    )


def judge(
    answers: Answers,
    *,
    control: str | None = None,
    experiment: str | None = None,
    scenario: str | None = None,
    seed: int = 0,
    rounds: int = 2000,
) -> Served:
    """Arms side by side. People are what is resampled, since one person's answers are alike.

    NotFound when no answer names an arm, or `control` (none: the first by name) is not among them.
    """
    names = sorted(set(answers.arm.tolist()))
    if not names:
        raise NotFound("the journal holds no answer of an experiment's arm: serve with one first")
    control = control or names[0]
    if control not in names:
        raise NotFound(f"no arm {control!r} was served; have {', '.join(names)}")
    drawn = {name: _drawn(answers, name, seed, rounds) for name in names}
    base = drawn[control]
    rows = []
    for name in names:
        mine = drawn[name]
        shares = {
            measure: Share(
                _interval(mine.measures[measure]),
                None if name == control else _difference(mine.measures[measure], base.measures[measure]),
            )
            for measure in ("conversion", "clicks", "acceptance", "satisfaction")
        }
        found = None
        if name != control and min(mine.people, base.people) > 1:
            spread = (mine.spread**2 / mine.people + base.spread**2 / base.people) ** 0.5
            found = detectable(spread * 2**0.5, 2)
        rows.append(ArmServed(name, mine.people, mine.answers, **shares, detectable=found))
    p = _ratio(answers, names)
    return Served(experiment, scenario, control, tuple(rows), p, p is not None and p < SUSPICIOUS)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """`measures`: for each the value, then that of every resample (NaN where nothing is divided)."""

    people: int
    answers: int
    measures: dict[str, np.ndarray]
    spread: float
    """Standard deviation over people of what a person adds to the conversion."""


def _drawn(answers: Answers, arm: str, seed: int, rounds: int) -> _Drawn:
    mine = answers.arm == arm
    _, unit = np.unique(answers.unit[mine].astype(str), return_inverse=True)
    people = int(unit.max()) + 1
    counts, ratings = answers.counts[mine], answers.ratings[mine]
    accepted, rejected = counts[:, KINDS.index("accepted")], counts[:, KINDS.index("rejected")]
    one = np.ones(len(unit))
    parts = {
        "conversion": (accepted > 0, one),
        "clicks": (counts[:, KINDS.index("clicked")] > 0, one),
        "acceptance": (accepted, accepted + rejected),
        "satisfaction": (ratings[:, 0], ratings[:, 1]),
    }
    sums = np.stack(
        [np.bincount(unit, part, minlength=people) for pair in parts.values() for part in pair], axis=1
    )
    rng = np.random.default_rng(seed)
    totals = np.empty((rounds + 1, sums.shape[1]))
    totals[0] = sums.sum(axis=0)
    for number in range(1, rounds + 1):
        totals[number] = np.bincount(rng.integers(0, people, people), minlength=people) @ sums
    with np.errstate(invalid="ignore", divide="ignore"):
        values = totals[:, 0::2] / totals[:, 1::2]
    rate, mean = values[0, 0], sums[:, 1].mean()
    spread = float(((sums[:, 0] - rate * sums[:, 1]) / mean).std(ddof=1)) if people > 1 else 0.0
    measures = {name: values[:, at] for at, name in enumerate(parts)}
    return _Drawn(people, int(mine.sum()), measures, spread)


def _interval(values: np.ndarray) -> Interval:
    drawn = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or not len(drawn):
        return Interval(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(values[0]), float(low), float(high))


def _difference(mine: np.ndarray, base: np.ndarray) -> Interval:
    """Arms are resampled independently of each other: `base` is reversed to keep its draws apart."""
    return _interval(np.r_[mine[0] - base[0], mine[1:] - base[:0:-1]])


def _ratio(answers: Answers, names: Sequence[str]) -> float | None:
    """Chi-square p of the people in each arm against its mean propensity; None for one arm."""
    if len(names) < 2:
        return None
    people = np.array([len(set(answers.unit[answers.arm == name].tolist())) for name in names], float)
    planned = np.array([answers.propensity[answers.arm == name].mean() for name in names])
    if planned.sum() <= 0:
        return None
    return float(chisquare(people, people.sum() * planned / planned.sum()).pvalue)
