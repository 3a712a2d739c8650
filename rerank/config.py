"""The sections [rank] and [reasons] of whyrec.toml."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RankConfig(_Section):
    """[rank]: how a model orders the candidates, and how far its order counts."""

    method: Literal["listwise", "logits", "pointwise", "keep-order"] = "listwise"
    """How the model is asked (rerank/methods)."""
    prompt: str | None = None
    """A prompt's name (`whyrec prompts list`) or a file; none given: the method's plain prompt."""
    domain: str | None = None
    """What is recommended, in a word that prompts/domains.yaml knows: films, books, music, courses …; none
    given: the asking platform's own `domain`."""
    words: dict[str, str] = {}
    """The domain's own words for prompts, over those of prompts/domains.yaml: item, items, chose."""
    deadline: float = Field(5.0, gt=0)
    """Seconds within which an answer is out, unless the caller names a deadline of his own."""
    depth: int = Field(20, ge=1, le=1000)
    """How many of the first candidates the model ranks; the rest keep recall order."""
    window: int = Field(20, ge=2, le=100)
    """Candidates in one call."""
    stride: int = Field(10, ge=1, le=100)
    """How far a listwise window moves; less than `window`, so that windows overlap."""
    passes: int = Field(1, ge=1, le=10)
    """How often listwise windows run over the whole list."""
    shuffles: int = Field(1, ge=1, le=20)
    """Orders in which candidates are shown: 1 shows recall order only, more are aggregated by mean rank."""
    seed: int = 0
    """Of the shuffles."""
    calibrate: bool = True
    """Whether pointwise subtracts what the model says of an item to nobody in particular."""
    concurrency: int = Field(4, ge=1, le=64)
    """Calls of one request that run at the same time."""
    batch: int = Field(50, ge=1, le=500)
    """Questions that go into one call for log-probabilities."""
    weight: float | None = Field(None, ge=0, le=1)
    """Share of the model's order in the final one; none: what `whyrec fit rank` found for this model, method
    and prompt, else the engine's default."""
    cap: int | None = Field(None, ge=0)
    """Most places that the model may move one item, up or down; none given: no limit."""
    summary_tokens: int = Field(800, ge=50)
    """Budget of the history summary, counted by the model's own tokenizer where it has one."""
    floor: float = Field(0.5, ge=0, le=1)
    """Events that rest on a link with less confidence are not shown to a model and not cited."""
    title_chars: int = Field(120, ge=10)
    """Longer titles are cut in prompts."""
    description_chars: int = Field(0, ge=0)
    """How much of an item's description a candidate shows; 0 shows none."""


class ReasonsConfig(_Section):
    """[reasons]: how reasons are written and what they may say."""

    enabled: bool = True
    """Whether a model writes reasons; without it every reason is its source's template."""
    per: Literal["list", "item"] = "list"
    """One call for all returned items, or one per item, concurrently."""
    prompt: str | None = None
    """A prompt's name or a file; none given: the plain one for `per`."""
    concurrency: int = Field(4, ge=1, le=64)
    """Calls of one request that run at the same time."""
    max_tokens: int = Field(90, ge=20, le=1000)
    """Tokens that one reason may take in the answer."""
    max_chars: int = Field(320, ge=40)
    """A longer reason is withheld."""
    silent: tuple[str, ...] = ()
    """Platforms that no reason may mention or cite."""
