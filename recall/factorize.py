"""Item factors by implicit's ALS, in a fresh instance, with checks where implicit has none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from scipy.sparse import csr_matrix

from recall.dataset import Dataset
from recall.errors import ConfigError, DataError
from recall.foldin import gram
from recall.topk import FactorIndex
from recall.train_config import TrainConfig


def training_rows(matrix: csr_matrix, config: TrainConfig) -> csr_matrix:
    """float32 copy without the items and then the rows that have too few interactions; the shape stays."""
    kept = matrix.astype(np.float32, copy=True)
    for axis, least in ((0, config.min_item_people), (1, config.min_person_items)):
        if least > 1:
            kept.data[~_enough(kept, axis, least)] = 0
            kept.eliminate_zeros()
    return kept


def _enough(matrix: csr_matrix, axis: int, least: int) -> np.ndarray:
    """bool for each stored entry: whether its column (axis 0) or row (axis 1) has enough entries."""
    if axis == 0:
        enough: np.ndarray = (np.bincount(matrix.indices, minlength=matrix.shape[1]) >= least)[matrix.indices]
        return enough
    counts = np.diff(matrix.indptr)
    return np.repeat(counts >= least, counts)


def factorize(
    matrix: csr_matrix, config: TrainConfig, on_iteration: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """float32[items × factors] of a matrix with people in rows; zeros for items without interactions.

    Loads implicit, whose BLAS runs on one thread while implicit's own threads work. Meant for a process of
    its own: implicit may end the process when it meets what it did not expect.
    """
    import implicit
    from threadpoolctl import threadpool_limits

    rows = training_rows(matrix, config)
    if rows.nnz == 0:
        raise DataError(
            "no interaction is left to train on: see the build's report, or lower [train] min_person_items "
            "and min_item_people"
        )
    cuda = bool(implicit.gpu.HAS_CUDA)
    if config.device == "cuda" and not cuda:
        raise ConfigError('[train] device "cuda": implicit has no CUDA here; use "auto" or "cpu"')
    shared = {
        "factors": config.factors,
        "regularization": config.regularization,
        "alpha": config.alpha,
        "iterations": config.iterations,
        "random_state": config.seed,
    }

    def count(iteration: int, *_: object) -> None:
        if on_iteration:
            on_iteration(iteration + 1, config.iterations)

    with threadpool_limits(1, user_api="blas"):
        if cuda and config.device != "cpu":
            model = implicit.gpu.als.AlternatingLeastSquares(**shared)
        else:
            model = implicit.cpu.als.AlternatingLeastSquares(**shared, num_threads=config.threads)
        model.fit(rows, show_progress=False, callback=count)
        factors = model.item_factors
    found = np.asarray(factors if isinstance(factors, np.ndarray) else factors.to_numpy(), np.float32)
    if found.shape != (matrix.shape[1], config.factors) or not np.isfinite(found).all():
        raise DataError(
            f"implicit gave factors of shape {found.shape} or not finite for {matrix.shape[1]} items; raise "
            "[train] regularization, and look for extreme weights in the build's report"
        )
    found[np.bincount(rows.indices, minlength=matrix.shape[1]) == 0] = 0
    return found


def als_arrays(
    factors: np.ndarray,
    config: TrainConfig,
    *,
    reference_time: int = 0,
    half_life_days: float = math.inf,
    cap: float = math.inf,
) -> Mapping[str, np.ndarray]:
    """What the artefact keeps for the recaller `als`, from float32[items × factors].

    The factors by falling norm, each item's place there (int32, -1: none), YᵀY + λI, and `confidence`
    float64[4]: alpha, and the reference time, half-life in seconds and cap of the interactions trained on.
    """
    index = FactorIndex.build(factors, half=config.half)
    place = np.full(len(factors), -1, np.int32)
    place[index.rows] = np.arange(len(index.rows), dtype=np.int32)
    return {
        "place": place,
        "gram": gram(factors, config.regularization),
        "confidence": np.array([config.alpha, reference_time, half_life_days * 86_400.0, cap]),
        **index.arrays(),
    }


def fit_als(
    dataset: Dataset, config: TrainConfig, on_iteration: Callable[[int, int], None] | None = None
) -> Mapping[str, np.ndarray]:
    """The recaller's arrays from a dataset's matrix, with the confidence that its interactions have."""
    return als_arrays(
        factorize(dataset.matrix, config, on_iteration),
        config,
        reference_time=dataset.reference_time,
        half_life_days=dataset.half_life_days,
        cap=dataset.cap,
    )
