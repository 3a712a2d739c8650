"""How much an order depends on the order in which the candidates were shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from evals.results import Arm, Row

PERSISTENCE = 0.9
"""Of RBO: about the first ten places carry 86 % of the weight."""


@dataclass(frozen=True, slots=True)
class Stability:
    """Over pairs of repeats of one case that were shown in different orders."""

    pairs: int
    kendall: float
    """Mean tau: 1 the same order, 0 none, −1 reversed."""
    rbo: float
    """Mean rank-biased overlap (Webber 2010, extrapolated)."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What becomes of a place in the shown list, from 1."""

    slot: int
    place: float
    """Mean place from 1 that the model gives to what was shown there."""
    targets: int
    gain: float | None
    """Mean 1/log2(place + 1) of targets that were shown there; None without any."""


def stability(arm: Arm) -> Stability | None:
    """None where no case was asked twice."""
    taus, overlaps = [], []
    for rows in arm.by_person.values():
        for one, other in combinations(rows, 2):
            a, b = _said(one), _said(other)
            if a is not None and b is not None:
                taus.append(kendall(a, b))
                overlaps.append(rbo(a, b))
    if not taus:
        return None
    return Stability(len(taus), float(np.mean(taus)), float(np.mean(overlaps)))


def slots(arm: Arm) -> list[Slot]:
    """One for each place of the shown lists; [] where no model was asked."""
    places: dict[int, list[int]] = {}
    gains: dict[int, list[float]] = {}
    for row in arm.answered:
        said = _said(row)
        if said is None:
            continue
        shown = row["shown"] or list(range(len(said)))
        at = {position: place for place, position in enumerate(said)}
        target = arm.case(row).slot
        for slot, position in enumerate(shown):
            places.setdefault(slot, []).append(at[position] + 1)
            if position == target:
                gains.setdefault(slot, []).append(1 / np.log2(at[position] + 2))
    return [
        Slot(
            slot + 1,
            float(np.mean(found)),
            len(gains.get(slot, ())),
            float(np.mean(gains[slot])) if slot in gains else None,
        )
        for slot, found in sorted(places.items())
    ]


def kendall(a: Sequence[int], b: Sequence[int]) -> float:
    """Tau of two orders of the same items without ties; 1 for fewer than two."""
    if len(a) < 2:
        return 1.0
    place = {item: at for at, item in enumerate(b)}
    seen = np.array([place[item] for item in a])
    concordant = np.sign(seen[None, :] - seen[:, None])[np.triu_indices(len(seen), 1)]
    return float(concordant.mean())


def rbo(a: Sequence[int], b: Sequence[int], p: float = PERSISTENCE) -> float:
    """RBO_ext of two orders of equal length: 1 for the same order."""
    if not a:
        return 1.0
    left: set[int] = set()
    right: set[int] = set()
    total, agreement = 0.0, 0.0
    for depth, (one, other) in enumerate(zip(a, b, strict=True), 1):
        left.add(one)
        right.add(other)
        agreement = len(left & right) / depth
        total += p ** (depth - 1) * agreement
    return (1 - p) * total + p ** len(a) * agreement


def _said(row: Row) -> list[int] | None:
    said: list[int] | None = row.get("said")
    return said
