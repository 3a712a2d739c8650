"""What an endpoint sent, doubted and read: chat completions as the OpenAI protocol describes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ValidationError

from recall.errors import ModelError
from rerank.llm.thinking import without_thinking
from rerank.types import Cause, LabelScores, Reply, Usage

TOP = 20
"""Alternatives to ask for per token: the most that OpenAI and vLLM's default give."""

NEVER = -1000.0
"""vLLM writes -9999 for a token that a mask forbids."""


class _Details(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Message(BaseModel):
    content: str | None = None


class _Token(BaseModel):
    token: str
    logprob: float


class _Position(_Token):
    top_logprobs: list[_Token] | None = None


class _Logprobs(BaseModel):
    content: list[_Position] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Completion(BaseModel):
    """Servers add fields of their own; only these are read."""

    model: str | None = None
    choices: list[_Choice]
    usage: _Usage | None = None


def read_completion(raw: bytes, *, asked: str, seconds: float) -> Reply:
    """The answer's text without its thinking. ModelError: BAD_REPLY, or TRUNCATED when nothing was left."""
    completion, choice = _read(raw)
    cut = choice.finish_reason in ("length", None)
    if choice.message.content is None:
        if choice.finish_reason == "length":
            raise ModelError(f"{asked}: the token limit was reached before the answer", Cause.TRUNCATED)
        raise ModelError(f"{asked}: the answer has no content", Cause.BAD_REPLY)
    text = without_thinking(choice.message.content)
    if not text and cut:
        raise ModelError(f"{asked}: the token limit was reached before the answer", Cause.TRUNCATED)
    return Reply(text, completion.model or asked, _usage(completion.usage), truncated=cut, seconds=seconds)


def read_first_token(raw: bytes, labels: Sequence[str], *, asked: str, seconds: float) -> LabelScores:
    """Log-probabilities of `labels`; tokens that differ in surrounding blanks only count together."""
    completion, choice = _read(raw)
    positions = choice.logprobs.content if choice.logprobs else None
    if not positions:
        raise ModelError(
            f"{asked}: the endpoint gives no log-probabilities; use the listwise method", Cause.UNSUPPORTED
        )
    tokens = positions[0].top_logprobs or [positions[0]]
    found = label_logprobs([(token.token, token.logprob) for token in tokens], labels)
    return LabelScores(found, completion.model or asked, _usage(completion.usage), seconds)


def label_logprobs(tokens: Iterable[tuple[str, float]], labels: Sequence[str]) -> dict[str, float]:
    """Log-probability of each label that is among the tokens, blanks around it aside."""
    wanted = set(labels)
    found: dict[str, float] = {}
    for token, logprob in tokens:
        label = token.strip(" \t\n\u0120\u2581")
        if label in wanted and math.isfinite(logprob) and logprob > NEVER:
            found[label] = _log_sum(found.get(label, -math.inf), logprob)
    return found


def count_alternatives(raw: bytes) -> int:
    """How many alternatives the first token has; 0 where the endpoint gives none."""
    _, choice = _read(raw)
    positions = choice.logprobs.content if choice.logprobs else None
    return len(positions[0].top_logprobs or []) if positions else 0


def only_among(raw: bytes, labels: Sequence[str]) -> bool:
    """Whether every alternative of the first token that can come at all is a label or the beginning of one,
    and each label is there."""
    _, choice = _read(raw)
    positions = choice.logprobs.content if choice.logprobs else None
    tokens = positions[0].top_logprobs or [] if positions else []
    found = {token.token for token in tokens if token.logprob > NEVER}
    return set(labels) <= found and all(any(s.startswith(t) for s in labels) for t in found)


def _log_sum(a: float, b: float) -> float:
    high, low = max(a, b), min(a, b)
    return high + math.log1p(math.exp(low - high))


def _read(raw: bytes) -> tuple[_Completion, _Choice]:
    try:
        completion = _Completion.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            f"the reply is not a chat completion ({where} {first['msg']})", Cause.BAD_REPLY
        ) from error
    if not completion.choices:
        raise ModelError("the reply has no choices", Cause.BAD_REPLY)
    return completion, completion.choices[0]


def _usage(usage: _Usage | None) -> Usage:
    if usage is None:
        return Usage()
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached or 0)
