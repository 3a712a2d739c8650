"""The nouns of ranking: requests, model calls, rankings, reasons, recommendations."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

from recall.types import Candidate, Filters, History, Item


class Cause(StrEnum):
    """Why ranking or reasons by a model are partial or skipped. One list for answers, logs and metrics."""

    KEEP_ORDER = "keep_order"  # the method or the mode asks for no model
    NO_MODEL = "no_model"  # none is configured or installed
    NO_CANDIDATES = "no_candidates"
    DEADLINE = "deadline"
    BUDGET = "budget"
    BREAKER_OPEN = "breaker_open"
    CONNECTION = "connection"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    BAD_REQUEST = "bad_request"  # the endpoint refused the request (4xx but 429)
    BAD_REPLY = "bad_reply"  # not the protocol: HTML, empty choices, null content
    TRUNCATED = "truncated"
    UNPARSABLE = "unparsable"  # a reply that names no candidate
    UNSUPPORTED = "unsupported"  # the engine can't do what the method needs
    CONTEXT = "context"  # nothing fits into the context window
    WITHHELD = "withheld"  # the model wrote reasons, and none passed the check


class Status(StrEnum):
    FULL = "full"
    PARTIAL = "partial"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock by which the answer must be out."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - time.monotonic())


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more calls; `cached` is the part of `prompt` that the server had cached."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt + other.prompt, self.completion + other.completion, self.cached + other.cached
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered. `truncated`: it stopped at the token limit or the stream was cut."""

    text: str
    model: str
    usage: Usage = Usage()
    truncated: bool = False
    seconds: float = 0.0
    cached: bool = False
    """It was answered earlier, and used nothing now."""


@dataclass(frozen=True, slots=True)
class LabelScores:
    """Log-probabilities of the asked labels as the first generated token; missing ones were too unlikely."""

    logprobs: Mapping[str, float]
    model: str
    usage: Usage = Usage()
    seconds: float = 0.0
    cached: bool = False
    """As of a Reply."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do, as probed. None: not known."""

    model: str
    context: int | None = None
    """Tokens that prompt and answer may take together."""
    json_schema: bool | None = None
    logprobs: bool | None = None
    top_logprobs: int = 0
    """How many alternatives come back at most per token."""
    tokenizer: bool = False
    """Whether `count` is exact."""
    masks: bool = False
    """Whether log-probabilities are taken after a mask to the labels, so that each label has one."""
    models: tuple[str, ...] = ()
    """All that the endpoint lists; empty for a model in this process."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to generate. Temperature 0 and a fixed seed unless an evaluation asks otherwise."""

    max_tokens: int
    temperature: float = 0.0
    seed: int | None = 0
    stop: tuple[str, ...] = ()


class ChatModel(Protocol):
    """A language model. Failures are ModelError with a Cause; a deadline passed is Cause.DEADLINE.

    Every call returns or raises by its deadline. Cancelling a call frees what it holds.
    """

    name: str
    """As configured; replies carry the name as served."""

    weight: float
    """The default blend weight of this engine until one is fitted: 0.5 for an endpoint, 0 for embedded."""

    async def capabilities(self, deadline: Deadline) -> Capabilities:
        """Probed once, then remembered."""

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling,
        deadline: Deadline,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        """One answer. With `schema` (JSON Schema, every field required, no length keywords) the text
        should be JSON under it; callers still parse it as untrusted."""

    async def label_scores(
        self, prompts: Sequence[Sequence[Message]], *, labels: Sequence[str], deadline: Deadline
    ) -> list[LabelScores]:
        """One decoding step for each prompt; they may share a prefix. Cause.UNSUPPORTED where it can't."""

    async def count(self, messages: Sequence[Message]) -> int:
        """Prompt tokens, by the model's own tokenizer or a stated estimate (capabilities say which)."""

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Call:
    """A record of one model call, for provenance, the journal and evaluation."""

    task: Literal["rank", "reasons"]
    messages: tuple[Message, ...]
    reply: str | None
    model: str
    usage: Usage
    seconds: float
    cached: bool = False
    error: Cause | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """A method's order of the candidates that it saw: always a permutation of `order`'s input positions.

    `order[i]` is the position (in the list that was sent) of what the model puts at place i; `places[i]` says
    where that place comes from: the model named it, it was filled in recall order after a damaged reply, or
    it was never sent. `scores`, where a method has them, go with `order`.
    """

    order: tuple[int, ...]
    places: tuple[Literal["model", "filled", "recall"], ...]
    scores: tuple[float, ...] | None = None
    calls: tuple[Call, ...] = ()
    repairs: Mapping[str, int] = field(default_factory=dict)
    cause: Cause | None = None
    """Set when the ranking is partial or nothing came from the model."""

    @property
    def model(self) -> str | None:
        """Of the first reply, as served; None where there was none."""
        return next((call.model for call in self.calls if call.reply is not None), None)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a reason rests on: one event of the person's history, one fact about an item, or the wish."""

    kind: Literal["event", "fact", "wish"]
    label: str
    """As shown to the model (h1, h2 …; f1 of a fact in common)."""
    text: str
    """For a person: a title, a fact."""
    event: str | None = None
    item: str | None = None
    platform: str | None = None
    time: int | None = None
    type: str | None = None
    value: float | None = None
    polarity: int | None = None
    source: str | None = None
    """Of an extracted fact: the item's field that states it, or 'model': no text of the item does."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item is recommended. `withheld`: the code for which a model's own reason was not shown."""

    text: str
    evidence: tuple[Evidence, ...]
    author: Literal["llm", "template"]
    checked: bool
    withheld: str | None = None


@dataclass(frozen=True, slots=True)
class RankedItem:
    """`rank` counts from 1. `score` is the blend's; `model_rank` the model's own place, from 1, or None."""

    item: Item
    rank: int
    score: float
    candidate: Candidate
    place: Literal["model", "filled", "recall"]
    model_rank: int | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the pipeline. What is None is fetched; what is given is used as it is."""

    person: str | None
    platform: str | None = None
    k: int = 10
    n: int = 300
    """Candidates to recall."""
    depth: int | None = None
    """How many of them the model ranks; None: the configuration's."""
    wish: str | None = None
    as_of: int | None = None
    deadline: Deadline | None = None
    """None: the configuration's."""
    mode: Literal["recall", "rank", "explain"] = "explain"
    language: Literal["en", "zh"] = "en"
    prompt: str | None = None
    filters: Filters = field(default_factory=Filters)
    history: History | None = None
    candidates: tuple[Candidate, ...] | None = None
    spent: bool = False
    """Whether the caller's models may cost nothing more: none is asked, and the cause is `budget`."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """How an answer came about."""

    rerank_status: Status
    cause: Cause | None
    reasons_status: Status
    reasons_cause: Cause | None
    model: str | None
    method: str
    prompt: str | None
    prompt_hash: str | None
    artefact: str
    weight: float
    weight_source: Literal["default", "configured", "fitted", "none"]
    """fitted: by `whyrec fit rank`, for the segment that `weight_segment` names."""
    usage: Usage
    calls: int
    cache_hits: int
    milliseconds: Mapping[str, float]
    repairs: Mapping[str, int]
    removed: Mapping[str, int]
    reasons: Mapping[str, int]
    """Counts: written, checked, withheld (by code as 'withheld:CODE'), template."""
    weight_segment: str | None = None
    knowledge: Mapping[str, int] = field(default_factory=dict)
    """Counts of what was used: facts and statements shown to the ranking model, shared_facts shown to the one
    that writes reasons, fact_reasons that rest on a fact, open_world among the facts. Empty: none was."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    id: str
    request: Request
    history: History
    items: tuple[RankedItem, ...]
    provenance: Provenance
    calls: tuple[Call, ...] = ()
    ranking: Ranking | None = None
    """The method's own order of the first candidates, before the blend."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """The first `request.k` candidates in recall order, without reasons."""

    items: tuple[RankedItem, ...]


@dataclass(frozen=True, slots=True)
class Ranked:
    """The items that will be returned, in their final order, without reasons."""

    items: tuple[RankedItem, ...]


@dataclass(frozen=True, slots=True)
class Reasoned:
    """The reason of the item at `rank`, from 1, once it is settled. They come in any order."""

    rank: int
    item: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Done:
    """The whole answer: always the last event, and the only one that a caller of `recommend` sees."""

    recommendation: Recommendation


StreamEvent = Recalled | Ranked | Reasoned | Done
