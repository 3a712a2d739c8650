"""How training is configured; a light module, since every command reads the settings."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TrainConfig(BaseModel):
    """[train]: the factorization.

    Factors, regularization and alpha are those that did best on validation items of MovieLens 100k and
    MovieTweetings together; very small data want a regularization below 10. `whyrec train --tune` looks anew.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    factors: int = Field(64, ge=1, le=1024)
    """Length of a factor vector."""
    regularization: float = Field(60.0, gt=0)
    """λ on the factors' squared length."""
    alpha: float = Field(12.0, gt=0)
    """Confidence of an interaction of weight 1."""
    iterations: int = Field(15, ge=1, le=200)
    """Alternations."""
    min_person_items: int = Field(1, ge=1)
    """People with fewer interactions are left out of the training, and folded in all the same."""
    min_item_people: int = Field(1, ge=1)
    """Items with fewer people get no factors: other recallers may propose them."""
    half: bool | None = None
    """Keep a float16 copy of the factors for the scan; unset: where norms are so flat that it pays."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to factorize; auto takes CUDA where implicit was built with it and a device is there."""
    threads: int = Field(0, ge=0)
    """Threads of implicit; 0: one for each core."""
    seed: int = 0
    """Of the first factors. The same seed, data and thread count give the same factors."""
