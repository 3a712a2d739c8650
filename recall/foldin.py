"""Fold-in: a person's factors from a history, by one Cholesky solve.

With item factors Y (n × k) and the confidence c of each item of the history, the person's factors x solve

    (YᵀY + λI + Σ (c − 1) y yᵀ) x = Σ c y

(Hu, Koren, Volinsky 2008, equation 4; c = alpha × weight, as implicit's training has it: an item that was not
had counts as confidence 1 and preference 0, one that was had as confidence c and preference 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import spotrf, spotrs

from recall.errors import ArtefactError


def gram(factors: np.ndarray, regularization: float) -> np.ndarray:
    """YᵀY + λI, float32 k × k, summed in float64 by blocks: what every fold-in starts from."""
    k = factors.shape[1]
    total = regularization * np.eye(k)
    for start in range(0, len(factors), 65536):
        block = factors[start : start + 65536].astype(np.float64)
        total += block.T @ block
    return total.astype(np.float32)


@dataclass(frozen=True, slots=True)
class FoldIn:
    """The solved system: the factors, and the Cholesky factor that explanations reuse."""

    user: np.ndarray
    """float32[k]; zeros for an empty history."""
    cholesky: np.ndarray
    """float32[k × k], Fortran order, lower triangle."""

    def solve(self, right: np.ndarray) -> np.ndarray:
        """A⁻¹ right, for one vector float32[k] or several as columns float32[k × m]."""
        solved: np.ndarray = spotrs(self.cholesky, right, lower=1)[0]
        return solved


def fold_in(gram: np.ndarray, factors: np.ndarray, items: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """float32[k] factors of a person who had `items` (rows of `factors`) with `confidence` ≥ 0.

    Repeated rows, rows outside the catalogue and confidences that are not finite or below 0 are left out
    or added up, so that no input can break the solve; nothing left gives zeros.
    """
    return solve(gram, factors, items, confidence).user


def solve(gram: np.ndarray, factors: np.ndarray, items: np.ndarray, confidence: np.ndarray) -> FoldIn:
    """As `fold_in`, keeping the Cholesky factor. ArtefactError when the system is not positive definite."""
    items, confidence = clean(items, confidence, len(factors))
    system = np.array(gram, dtype=np.float32, order="F")
    right = np.zeros(len(gram), np.float32)
    if len(items):
        had = factors[items]
        if had.dtype != np.float32:
            had = had.astype(np.float32)
        system += (had.T * (confidence - 1)) @ had
        right = confidence @ had
    cholesky, info = spotrf(system, lower=1, clean=0, overwrite_a=1)
    if info != 0:
        raise ArtefactError(
            f"the fold-in system is not positive definite (spotrf {info}); the model's regularization is too "
            "small or its factors are damaged: train again"
        )
    return FoldIn(spotrs(cholesky, right, lower=1)[0], cholesky)


def clean(items: np.ndarray, confidence: np.ndarray, catalogue: int) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows in [0, catalogue), ascending, with the summed finite non-negative confidences."""
    items = np.asarray(items, dtype=np.int64)
    confidence = np.asarray(confidence, dtype=np.float32)
    usable = (items >= 0) & (items < catalogue) & (confidence >= 0) & (confidence < np.inf)
    if not usable.all():
        items, confidence = items[usable], confidence[usable]
    if len(items) > 1 and not (items[1:] > items[:-1]).all():
        items, where = np.unique(items, return_inverse=True)
        confidence = np.bincount(where, weights=confidence).astype(np.float32)
    return items, confidence
