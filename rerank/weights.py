"""How much a model's order counts, fitted on validation data by segment: a small file, only read here.

A weight belongs to the model, method and prompt that it was measured with: others have to earn their own.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prompts import Prompt
from recall.errors import ConfigError
from recall.types import LIKE, History
from rerank.types import Request

log = logging.getLogger("whyrec.rank")

FILE = "rank.json"
"""Name of the weight file under Workspace.weights."""

EVERYBODY = "all"
"""The segment that everybody is in."""


Weighed = tuple[float, Literal["default", "configured", "fitted", "none"], str | None]
"""The weight of the model's order, where it comes from, and the segment of a fitted one."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Gain(_Part):
    """Mean difference per person to recall order, on people whom the weight was not chosen on."""

    mean: float
    low: float
    high: float
    level: float = Field(gt=0, lt=1)
    """Of the interval from `low` to `high`."""


class SegmentWeight(_Part):
    """`best` is what validation liked most; `weight` the same, or 0 where the gain's interval reaches 0."""

    weight: float = Field(ge=0, le=1)
    best: float = Field(ge=0, le=1)
    people: int = Field(ge=0)
    gain: Gain


class RankFit(_Part):
    """The weights of one model, method and prompt, and what they rest on."""

    model: str
    method: str
    prompt: str
    prompt_hash: str
    """Of the prompt's file: the domain's words may differ by platform."""
    metric: str
    data: str
    """Name of the data build."""
    split: str
    """What was held out, in words, with a hash of the cases."""
    seed: int
    people: int
    depth: int
    cap: int | None
    fitted: int
    """UTC seconds."""
    segments: dict[str, SegmentWeight]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.model, self.method, self.prompt_hash


class RankWeights(_Part):
    """rank.json: one fit for each model, method and prompt."""

    fits: tuple[RankFit, ...] = ()

    @classmethod
    def load(cls, folder: Path) -> RankWeights:
        """The fitted ones; nothing where nothing was fitted. ConfigError for a damaged file."""
        path = folder / FILE
        try:
            return cls.model_validate(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, ValidationError) as error:
            raise ConfigError(
                f"{path} can't be used ({error}); remove it to use the default weights"
            ) from error

    def save(self, folder: Path) -> Path:
        """Write the file by one rename; returns its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path, part = folder / FILE, folder / f".{FILE}.{os.getpid()}"
        part.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        part.replace(path)
        return path

    def with_fit(self, fit: RankFit) -> RankWeights:
        """With this fit, in place of an earlier one of the same model, method and prompt."""
        return RankWeights(fits=(*(other for other in self.fits if other.key != fit.key), fit))

    def of(
        self, model: str, method: str, prompt_hash: str, history: History, platform: str | None
    ) -> tuple[float, str] | None:
        """The weight for this history on this platform and its segment; None where none was fitted."""
        found = next((fit for fit in self.fits if fit.key == (model, method, prompt_hash)), None)
        for name in segments(history, platform) if found else ():
            if found and name in found.segments:
                return found.segments[name].weight, name
        return None


class WeightFile:
    """The weights of a folder, read again whenever the file has changed; safe from several threads.

    A file that is damaged at first is a ConfigError; one that is damaged later leaves what was read before.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, Lock()
        self._stamp: tuple[int, int] | None = None
        self._weights = RankWeights()

    def __call__(self) -> RankWeights:
        try:
            status = (self._folder / FILE).stat()
            stamp = (status.st_mtime_ns, status.st_size)
        except FileNotFoundError:
            stamp = (0, 0)
        with self._lock:
            if stamp != self._stamp:
                first, self._stamp = self._stamp is None, stamp
                try:
                    self._weights = RankWeights.load(self._folder)
                except ConfigError as error:
                    if first:
                        raise
                    log.error("fitted weights stay as they were: %s", error)
            return self._weights


def segments(history: History, platform: str | None) -> tuple[str, ...]:
    """The segments of a question, the narrowest first: platform and history length, length, everybody.

    Lengths count liked items: 0, 1-4, 5-19, 20+.
    """
    count = len({event.item for event in history.events if event.polarity == LIKE})
    length = "0" if count == 0 else "1-4" if count < 5 else "5-19" if count < 20 else "20+"
    narrow = () if platform is None else (f"{platform} {length}",)
    return (*narrow, length, EVERYBODY)


def weigh(
    configured: float | None,
    default: float | None,
    weights: Callable[[], RankWeights],
    model: str | None,
    prompt: Prompt | None,
    request: Request,
    history: History,
) -> Weighed:
    """The weight, where it comes from, and the segment of a fitted one. `default` is the engine's, None
    without a model; `model` is the name as served.

    No wish took part in the fitting, so a request with one has the engine's default.
    """
    if configured is not None:
        return configured, "configured", None
    if default is None:
        return 0.0, "none", None
    if prompt is not None and not request.wish:
        found = weights().of(model or "", prompt.method, prompt.file_hash, history, request.platform)
        if found:
            return found[0], "fitted", found[1]
    return default, "default", None
