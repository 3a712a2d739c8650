"""ALS tuned on a validation split: factors, regularization, alpha, and the fold-in's half-life."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from evals.check import rank
from evals.intervals import bootstrap
from evals.metrics import ndcg, places
from evals.splits import Split, last_liked
from recall.dataset import Dataset
from recall.errors import DataError
from recall.factorize import fit_als
from recall.recallers.als import Als
from recall.recallers.tuning import Tuning
from recall.train_config import TrainConfig
from recall.weights import Weights

FACTORS = (16, 24, 32, 48, 64, 96, 128)
REGULARIZATION = (0.3, 400.0)
"""λ is drawn evenly on a logarithmic scale between these."""
ALPHA = (1.0, 64.0)
"""As λ."""
HALF_LIVES = (0.0, 2.0, 4.0, 8.0)
"""In liked items, 0: no recency. Each trained model is tried with all of them."""
K = 10
TRIALS = "train-trials.json"
"""Name of the table of trials under Workspace.weights."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting: NDCG@10 on the validation items with its 95 % interval."""

    factors: int
    regularization: float
    alpha: float
    half_life: float
    ndcg: float
    low: float
    high: float
    seconds: float
    """To train and to judge the model, all half-lives together."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best setting, and every trial, best first."""

    config: TrainConfig
    half_life: float
    people: int
    trials: tuple[Trial, ...]

    def save(self, folder: Path) -> None:
        """Write the table of trials, and the half-life among the recallers' settings, into this folder."""
        folder.mkdir(parents=True, exist_ok=True)
        table = {"people": self.people, "k": K, "trials": [asdict(trial) for trial in self.trials]}
        _replace(folder / TRIALS, json.dumps(table, indent=1))
        weights = Weights.load(folder)
        tuning = weights.tuning.model_copy(update={"recency": self.half_life})
        weights.model_copy(update={"tuning": tuning}).save(folder)


def tune(
    dataset: Dataset,
    config: TrainConfig,
    *,
    seconds: float,
    people: int = 3000,
    seed: int = 0,
    progress: Callable[[Trial], None] | None = None,
) -> Tuned:
    """Random search within `seconds`, the given setting first; at least that one is tried.

    Each person's last liked item is held out and looked for; at most `people` of them are asked. Ties go to
    the earlier trial. No trial begins that would, by the longest so far, end after the time. The figures
    of the best trial are of the search itself, hence a little too good. DataError when nobody has two likes.
    """
    split = _sample(last_liked(dataset, seed=seed), people, seed)
    if not len(split.persons):
        raise DataError(f"build {dataset.build}: nobody has two liked items, so there is nothing to tune on")
    rng = np.random.default_rng(seed)
    started, longest = time.monotonic(), 0.0
    trials: list[Trial] = []
    setting = config
    while not trials or time.monotonic() - started + longest <= seconds:
        found = _try(split, setting, seed)
        longest = max(longest, found[0].seconds)
        trials += found
        if progress:
            for trial in found:
                progress(trial)
        setting = drawn(config, rng)
    best = max(trials, key=lambda trial: trial.ndcg)
    chosen = {name: getattr(best, name) for name in ("factors", "regularization", "alpha")}
    ordered = tuple(sorted(trials, key=lambda trial: -trial.ndcg))
    return Tuned(config.model_copy(update=chosen), best.half_life, len(split.persons), ordered)


def work(
    build: Path, config: TrainConfig, seconds: float, seed: int, progress: Callable[[str, int, int], None]
) -> Tuned:
    """`tune` on a build, for recall.aside; progress counts seconds and tells the best NDCG@10 so far.

    Each person's last liked item stays out of all of it, so that a test on it is not spoilt.
    """
    started, best = time.monotonic(), 0.0

    def tell(trial: Trial) -> None:
        nonlocal best
        best = max(best, trial.ndcg)
        progress(f"tuning, NDCG@10 {best:.4f}", int(time.monotonic() - started), int(seconds))

    progress("tuning", 0, int(seconds))
    dataset = last_liked(Dataset.load(build), seed=seed).train
    return tune(dataset, config, seconds=seconds, seed=seed, progress=tell)


def _try(split: Split, config: TrainConfig, seed: int) -> list[Trial]:
    started = time.monotonic()
    arrays = fit_als(split.train, config)
    judged = []
    for half_life in HALF_LIVES:
        lists = rank(split, Als(arrays, Tuning(recency=half_life)), K)
        judged.append((half_life, bootstrap(ndcg(places(lists, split.targets), K), seed=seed)))
    taken = time.monotonic() - started
    setting = (config.factors, config.regularization, config.alpha)
    return [
        Trial(*setting, half_life, float(found.mean), float(found.low), float(found.high), round(taken, 3))
        for half_life, found in judged
    ]


def drawn(config: TrainConfig, rng: np.random.Generator) -> TrainConfig:
    """Another setting out of the ranges above."""
    chosen: dict[str, float] = {"factors": int(rng.choice(FACTORS))}
    for name, (low, high) in (("regularization", REGULARIZATION), ("alpha", ALPHA)):
        chosen[name] = float(f"{np.exp(rng.uniform(np.log(low), np.log(high))):.3g}")
    return config.model_copy(update=chosen)


def _sample(split: Split, people: int, seed: int) -> Split:
    """At most so many of the split's people, by a seeded draw; all of them stay in the training."""
    if len(split.persons) <= people:
        return split
    keep = np.sort(np.random.default_rng(seed).choice(len(split.persons), people, replace=False))
    return Split(split.train, split.persons[keep], split.targets[keep], split.platforms[keep])


def _replace(file: Path, text: str) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(text + "\n")
    part.replace(file)
