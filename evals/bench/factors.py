"""Factors to search in: trained ones of generated catalogues, kept between runs, and those of an artefact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from recall.artefact import Artefact
from recall.content.space import DIMENSIONS, fit_space
from recall.content.texts import Bag
from recall.factorize import factorize
from recall.recallers.als import Als
from recall.recallers.tuning import Tuning
from recall.train_config import TrainConfig

TASTES = 200
EVENTS = 30
"""Interactions of a person, the mean of a geometric distribution."""


@dataclass(frozen=True, slots=True)
class FactorSet:
    """`factors` float32[items × k]; `matrix` people × items, None where only the factors are known."""

    name: str
    factors: np.ndarray
    config: TrainConfig
    matrix: csr_matrix | None = None
    texts: bool = False
    """Vectors of texts: a person is the mean of his items', and training decides on the float16 copy"""


def power_law(items: int, *, people: int, seed: int = 0) -> csr_matrix:
    """Interactions in which an item's share falls as a power (−2/3) of its rank, all of weight 1.

    Every person has one of TASTES tastes and draws four of five items from its part of the catalogue, the
    rest from the whole of it.
    """
    rng = np.random.default_rng(seed)
    counts = rng.geometric(1 / EVENTS, people)
    person = np.repeat(np.arange(people), counts)
    order = rng.permutation(items)
    taste = rng.integers(TASTES, size=people)[person]
    own = rng.random(len(person)) < 0.8
    skewed = rng.random(len(person)) ** 3
    part = items // TASTES
    rank = np.where(own, taste * part + np.floor(skewed * part), np.floor(skewed * items)).astype(np.int64)
    # The whole catalogue's ranking goes across the tastes: its first items are the first of each taste.
    across = (rank % TASTES) * part + np.minimum(rank // TASTES, part - 1)
    item = order[np.where(own, rank, across)]
    matrix = csr_matrix((np.ones(len(item), np.float32), (person, item)), shape=(people, items))
    matrix.data[:] = 1
    return matrix


def generated(items: int, *, factors: int, iterations: int, cache: Path) -> FactorSet:
    """Trained factors of a generated catalogue with half as many people; trained once, then read."""
    config = TrainConfig(factors=factors, iterations=iterations, regularization=1.0, alpha=10.0, device="cpu")
    matrix = power_law(items, people=max(items // 2, 200))
    file = cache / f"power-law-{items}x{factors}-{iterations}.npy"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npy")
        np.save(part, factorize(matrix, config))
        part.replace(file)
    return FactorSet(f"power law, {items:,} items", np.load(file), config, matrix)


def flat(given: FactorSet) -> FactorSet:
    """The same directions with every norm 1: the worst case for the bound."""
    norms = np.linalg.norm(given.factors, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        factors = np.nan_to_num(given.factors / norms)
    return FactorSet(
        f"{given.name}, norms made equal", factors.astype(np.float32), given.config, given.matrix
    )


def texts(items: int, *, cache: Path, seed: int = 0) -> FactorSet:
    """Content vectors of generated texts: each item has one of TASTES topics, a category, six words of its
    topic and three of everybody's, all of falling frequency. Made once, then read."""
    file = cache / f"texts-{items}x{DIMENSIONS}.npy"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npy")
        np.save(part, fit_space(_bags(items, seed), seed=seed)[1])
        part.replace(file)
    return FactorSet(f"texts of {items:,} items", np.load(file), TrainConfig(), texts=True)


def _bags(items: int, seed: int) -> Iterator[Bag]:
    rng = np.random.default_rng(seed)
    for start in range(0, items, 10_000):
        count = min(10_000, items - start)
        topic = rng.integers(TASTES, size=count)
        own = topic[:, None] * 300 + (rng.random((count, 6)) ** 3 * 300).astype(np.int64)
        common = -1 - (rng.random((count, 3)) ** 3 * 20_000).astype(np.int64)
        for at in range(count):
            found = {str(word): 1.0 for word in (*own[at].tolist(), *common[at].tolist())}
            yield found | {f"category {topic[at] % 20}": 2.0}


def of_artefact(folder: Path) -> FactorSet:
    artefact = Artefact.open(folder)
    config = TrainConfig.model_validate(artefact.manifest.config)
    als = Als(artefact.arrays["als"], Tuning())
    return FactorSet("this workspace's artefact", als.factors(np.arange(len(artefact.items))), config)
