"""What fusing brings: the same questions to each platform alone, to all, and to all without item links."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from evals.bench.figure import Figure
from evals.bench.quality import Quality, figures_of, of_blend, of_source
from evals.check import fit
from evals.dealt import alone, unlinked
from evals.fit.heldout import HeldOut
from recall.mixture import Mixture
from recall.recallers import open_recallers
from recall.train_config import TrainConfig
from recall.weights import Weights

ALONE, FUSED, UNLINKED = "each platform alone", "fused", "fused, items unlinked"
METHODS = ("als", "blend, weights by hand")


def fusing(test: HeldOut, *, progress: Callable[[str], None]) -> list[Figure]:
    """The weights are those set by hand in all of them, so that none was fitted for one."""
    progress("fusing: each platform alone, fused, fused with unlinked items")
    parts: dict[str, list[tuple[np.ndarray, dict[str, Quality]]]] = {ALONE: []}
    for platform in range(len(test.train.platforms)):
        cases = np.flatnonzero(test.platforms == platform)
        mine = replace(test.take(cases), train=alone(test.train, platform))
        parts[ALONE].append((cases, _asked(mine)))
    every = np.arange(len(test.persons))
    parts[FUSED] = [(every, _asked(test))]
    split, rows = unlinked(test.train)
    targets = rows[np.repeat(test.platforms, np.diff(test.starts)), test.targets].astype(np.int32)
    parts[UNLINKED] = [(every, _asked(replace(test, train=split, targets=targets)))]
    elsewhere = [(test.query(c).platforms != test.platforms[c]).any() for c in range(len(every))]
    apart = np.array(elsewhere, np.bool_)
    figures = []
    for label, keep in (("", np.ones(len(every), bool)), (" with events on another platform", apart)):
        for method in METHODS:
            found = {
                arm: _joined([(cases, asked[method]) for cases, asked in mine], keep)
                for arm, mine in parts.items()
            }
            figures += figures_of(f"fusing, {method}, {int(keep.sum()):,} people{label}", found)
    return figures


def _asked(test: HeldOut) -> dict[str, Quality]:
    weights = Weights()
    arrays = fit(test.train, TrainConfig())
    sources = open_recallers(arrays, weights.tuning)
    found = (of_source(test, sources["als"]), of_blend(test, Mixture(sources, weights)))
    return dict(zip(METHODS, found, strict=True))


def _joined(parts: list[tuple[np.ndarray, Quality]], keep: np.ndarray) -> Quality:
    def one(values: Callable[[Quality], np.ndarray]) -> np.ndarray:
        whole = np.zeros(len(keep))
        for cases, quality in parts:
            whole[cases] = values(quality)
        return whole[keep]

    covered = {k: one(lambda quality, k=k: quality.covered[k]) for k in parts[0][1].covered}  # type: ignore[misc]
    return Quality(one(lambda quality: quality.ndcg), one(lambda quality: quality.hit), covered)
