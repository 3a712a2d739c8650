"""The recallers' own settings: fitted by `whyrec fit recall`, else these defaults."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Tuning(BaseModel):
    """Settings of the recallers that take effect when answering, with no retraining."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recency: float = Field(4.0, ge=0)
    """ALS fold-in: confidences halve every so many items, counted from the newest; 0: no recency."""
    last_items: int = Field(20, ge=1, le=200)
    """Item-to-item: how many of the newest liked items are followed."""
    item_decay: float = Field(0.8, gt=0, le=1)
    """Item-to-item: an item's weight relative to the next newer one's."""
    last_steps: int = Field(8, ge=1, le=200)
    """Transitions: how many of the newest items are continued."""
    step_decay: float = Field(0.7, gt=0, le=1)
    """Transitions: an item's weight relative to the next newer one's."""
    half_life: float = Field(0.2, ge=0)
    """Popularity: share of the data's time span in which an event's weight halves; 0: no decay. The nearest
    of the half-lives that the artefact holds is used."""
    new_days: float = Field(30.0, gt=0, le=3650)
    """Recent on platform: a listing's score halves every so many days since it came."""
    content_decay: float = Field(0.97, gt=0, le=1)
    """Content: a liked item's weight relative to the next newer one's."""
    content_dislike: float = Field(0.0, ge=0, le=10)
    """Content: what a disliked item takes away, relative to what a liked one adds."""
    prior: float = Field(50.0, ge=0)
    """Popularity: how many events of all platforms stand in where a platform has few."""
