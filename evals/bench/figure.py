"""One measured figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Figure:
    """`ratio` is our value over the peer's (below 1: we need less); `agree` the share of equal results."""

    name: str
    value: float
    unit: str
    peer: str | None = None
    ratio: float | None = None
    agree: float | None = None
    low: float | None = None
    high: float | None = None
    """95 % interval of the value, where it is a mean over people."""


def against(
    name: str, ours: np.ndarray, peers: dict[str, np.ndarray], agree: dict[str, float]
) -> list[Figure]:
    """Figures of CPU seconds measured in turns: ours, then each peer's; medians and 95th percentiles in ms.

    A ratio compares medians of the same turns, so that what else the machine does falls on both.
    """
    found = []
    for label, seconds in {"whyrec": ours, **peers}.items():
        ratio = None if label == "whyrec" else float(np.median(ours) / np.median(seconds))
        peer = None if label == "whyrec" else label
        median, tail = np.quantile(seconds, [0.5, 0.95]) * 1e3
        found.append(Figure(name, round(float(median), 4), "ms median", peer, ratio, agree.get(label)))
        found.append(Figure(name, round(float(tail), 4), "ms p95", peer))
    return found
