"""Position bias: does the model's order follow the list's order, or the person's taste?

Every person's list is shown in several orders. The target, the item that the person chose next, stands at
evenly spread slots in turn, the rest is shuffled. A model without bias answers the same order each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean

import numpy as np

from evals.agreement import PERSISTENCE, kendall, mean_agreement
from evals.fit.validation import Question
from evals.intervals import Interval, bootstrap
from evals.probes.asking import Asker, Shown, pool


@dataclass(frozen=True, slots=True)
class PositionBias:
    """One method's figures: means over people with 95 % intervals."""

    method: str
    model: str
    people: int
    candidates: int
    orders: int
    tau: Interval
    """Between the answers to two orders of the same list: 1 without bias, 0 as if drawn at random."""
    overlap: Interval
    """Rank-biased overlap of the same pairs."""
    chance: float
    """The overlap of random orders of such a list."""
    follows: Interval
    """Tau between the order shown and the answer: 0 without bias, 1 where the list comes back as it was."""
    by_slot: tuple[tuple[int, Interval], ...]
    """Slot of the target, from 0 → places that the model moved it up; an unbiased model moves it to the same
    place from everywhere, so that the gain grows by one a slot."""
    failed: int


async def probe_position(
    ask: Asker, questions: Sequence[Question], *, n: int = 20, orders: int = 5, seed: int = 0
) -> PositionBias:
    """Ask `orders` times for each person whose list is n long. A failed answer is counted and left out."""
    asked = [question for question in questions if len(question.candidates) >= n]
    answers: dict[str, list[Shown]] = {}
    targets: dict[str, int] = {}
    for question in asked:
        candidates = pool(question, n)
        target = next(place for place, one in enumerate(candidates) if one.item == question.target)
        targets[question.person] = target
        for number, order in enumerate(spread(n, target, orders, Random(f"{seed} {question.person}"))):
            found = await ask(f"order {number + 1} of {orders}", question, candidates, order)
            answers.setdefault(question.person, []).append(found)
    return summarise(
        answers,
        targets,
        method=ask.pipeline.rank.method,
        model=ask.model,
        n=n,
        orders=orders,
    )


def spread(n: int, target: int, orders: int, random: Random) -> list[list[int]]:
    """Shuffled orders of n places with `target` at evenly spread slots, the first and the last included."""
    found = []
    for number in range(orders):
        rest = [place for place in range(n) if place != target]
        random.shuffle(rest)
        slot = round(number * (n - 1) / (orders - 1)) if orders > 1 else 0
        found.append([*rest[:slot], target, *rest[slot:]])
    return found


def summarise(
    answers: dict[str, list[Shown]],
    targets: dict[str, int],
    *,
    method: str,
    model: str,
    n: int,
    orders: int,
) -> PositionBias:
    """`targets`: each person's target, as a place of that person's candidates."""
    tau, over, follows = [], [], []
    gains: dict[int, list[float]] = {}
    for person, mine in answers.items():
        said = [one for one in mine if one.answer is not None]
        if len(said) > 1:
            pair = mean_agreement([one.answer for one in said if one.answer])
            tau.append(pair[0])
            over.append(pair[1])
        if said:
            follows.append(fmean(kendall(one.shown, one.answer or ()) for one in said))
        for one in said:
            slot = one.shown.index(targets[person])
            gains.setdefault(slot, []).append(slot - (one.answer or ()).index(targets[person]))
    return PositionBias(
        method=method,
        model=model,
        people=len(answers),
        candidates=n,
        orders=orders,
        tau=bootstrap(np.array(tau)),
        overlap=bootstrap(np.array(over)),
        chance=chance_overlap(n),
        follows=bootstrap(np.array(follows)),
        by_slot=tuple((slot, bootstrap(np.array(gains[slot]))) for slot in sorted(gains)),
        failed=sum(one.answer is None for mine in answers.values() for one in mine),
    )


def chance_overlap(n: int) -> float:
    """Expected rank-biased overlap of two random orders of n items: at depth d they share d²/n."""
    p = PERSISTENCE
    return p**n + (1 - p) / p * sum(d / n * p**d for d in range(1, n + 1))
