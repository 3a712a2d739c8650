"""The recall blend's weights: a small file that `whyrec fit recall` writes and the mixture reads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recall.errors import ConfigError
from recall.recallers.query import ANY, RowQuery
from recall.recallers.tuning import Tuning
from recall.trees import Trees

FILE = "recall.json"
"""Name of the weight file under Workspace.weights."""


INTEREST = 2.0
"""Weight of `content` for somebody without liked items who says what he wants, relative to all other sources
together: nothing else knows anything of him."""


class Gain(BaseModel):
    """NDCG@10 on validation people: with the fitted weights, and what they gain over those set by hand.

    Both are of people on whom the weights were not chosen; the interval is of the mean difference, 95 %.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    people: int
    ndcg: float
    gain: float
    low: float
    high: float


class Fit(BaseModel):
    """Where the weights come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    build: str
    split: str
    """What was held out, in words."""
    seed: int
    train: dict[str, float | int | str | bool | None]
    """The [train] section that the ALS of the fit had."""
    all: Gain
    segments: dict[str, Gain] = {}
    """Of each segment that got weights of its own."""
    trees: Gain | None = None
    """What trees gain over the weighted sum; None: too few people to grow any."""


class Weights(BaseModel):
    """recall.json: settings of the recallers, and each segment's weight per source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tuning: Tuning = Tuning()
    segments: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Segment (see `segment`) → source → weight ≥ 0; a segment that is missing has `default`."""
    default: dict[str, float] = Field(
        default_factory=lambda: {"als": 1.0, "item-to-item": 0.5, "transitions": 0.7, "popular": 0.3}
    )
    """Set by hand unless `fit` says otherwise."""
    trees: Trees | None = None
    """That put the sum's best in order; None: none earned it."""
    fit: Fit | None = None

    @classmethod
    def load(cls, folder: Path) -> Weights:
        """The fitted ones, or the defaults where nothing was fitted. ConfigError for a damaged file."""
        path = folder / FILE
        if not path.exists():
            return cls()
        try:
            return cls.model_validate(json.loads(path.read_text()))
        except (OSError, ValueError, ValidationError) as error:
            raise ConfigError(f"{path} can't be used ({error}); remove it to use the defaults") from error

    def save(self, folder: Path) -> Path:
        """Write the file beside and rename it into place; a reader sees the old or the new one."""
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{FILE}.{os.getpid()}"
        part.write_text(self.model_dump_json(indent=1) + "\n")
        return part.replace(folder / FILE)

    def of(self, query: RowQuery) -> Mapping[str, float]:
        """Of the query's segment; without any liked item a stated interest leads."""
        found = self.segments.get(segment(query), self.default) if self.segments else self.default
        if query.interest is not None and not len(query.liked()[1]):
            return {**found, "content": INTEREST * (sum(found.values()) or 1.0)}
        return found


SEGMENTS = tuple(f"{length}{new}" for new in ("", " new") for length in ("0", "1-4", "5-19", "20+"))
"""Every name that `segment` may give."""


def segment(query: RowQuery) -> str:
    """History length in liked items (0, 1-4, 5-19, 20+) and whether the person is new to the platform."""
    count = len(query.liked()[1])
    length = "0" if count == 0 else "1-4" if count < 5 else "5-19" if count < 20 else "20+"
    return f"{length} new" if is_new(query) else length


def is_new(query: RowQuery) -> bool:
    """Whether a platform asks on which the history has nothing."""
    return query.platform != ANY and not bool((query.platforms == query.platform).any())
