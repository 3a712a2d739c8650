"""Plain ALS and the blend's ALS tuned on the same settings and the same people: a fair pair to compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evals.dealt import undecayed
from evals.fit.heldout import HeldOut
from evals.fit.scored import VARIANTS, score
from evals.fit.tune import drawn
from recall.factorize import fit_als
from recall.train_config import TrainConfig


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best setting for each on the validation people, by NDCG@10."""

    plain: TrainConfig
    """Factors, regularization, alpha; neither training nor fold-in knows of time."""
    blend: TrainConfig
    """Decayed interactions, folded in with the best half-life."""
    trials: int
    """Settings tried for each."""


def tune_both(
    held: HeldOut,
    config: TrainConfig,
    *,
    trials: int,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Tuned:
    """The given setting, then drawn ones; each is trained twice, without decay and with it."""
    rng = np.random.default_rng(seed)
    setting, best = config, {"plain": (-1.0, config), "blend": (-1.0, config)}
    plain_train = undecayed(held.train)
    for trial in range(trials):
        for name, train, variants in (
            ("plain", plain_train, [{"recency": 0.0}]),
            ("blend", held.train, VARIANTS["als"]),
        ):
            arrays = {"als": fit_als(train, setting)}
            scored = score(held, arrays, variants={"als": variants})
            found = max(float(scored.ndcg({at: 1.0}).mean()) for at in range(len(variants)))
            if found > best[name][0]:
                best[name] = (found, setting)
        if progress:
            progress(trial + 1, trials)
        setting = drawn(config, rng)
    return Tuned(best["plain"][1], best["blend"][1], trials)
