"""What carries a recaller's scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Contributions:
    """For m items: each history event's part of the score, or how many people had the item.

    `events` float32[m, h] sums to the scores along its rows where the source rests on events, else None;
    `people` int32[m] where it rests on popularity, else None.
    """

    events: np.ndarray | None = None
    people: np.ndarray | None = None
