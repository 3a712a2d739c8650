"""Any LangChain chat model as an engine: `LangChainModel(ChatAnthropic(…))`, or `[llm] engine = "langchain"`.

What a model can do is found out as for an endpoint. Where its class knows OpenAI's fields (`extra_body`,
`logprobs`), schema and log-probabilities go there; elsewhere a schema goes through `with_structured_output`,
and the methods over log-probabilities are refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx
import openai
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage

from recall.errors import ConfigError, ModelError
from rerank.integrations.untraced import APART, untraced
from rerank.llm.config import LLMConfig
from rerank.llm.estimate import estimate_tokens
from rerank.llm.faults import translate
from rerank.llm.probe import QUESTION, enforces_schema
from rerank.llm.replies import TOP, label_logprobs
from rerank.llm.thinking import without_thinking
from rerank.types import (
    Capabilities,
    Cause,
    ChatModel,
    Deadline,
    LabelScores,
    Message,
    Reply,
    Sampling,
    Usage,
)


class LangChainModel:
    """`chat` with our own sampling. `tracing`: whether LangChain may trace it where it is told to."""

    weight = 0.5

    def __init__(
        self,
        chat: BaseChatModel,
        *,
        context: int | None = None,
        characters_per_token: float = 3.0,
        concurrency: int = 8,
        tracing: bool = False,
    ) -> None:
        self.langchain = chat
        self.name = str(getattr(chat, "model_name", None) or getattr(chat, "model", None) or chat.get_name())
        self.tracing = tracing
        self._fields = frozenset(type(chat).model_fields)
        self._context, self._characters = context, characters_per_token
        self._concurrency = concurrency
        self._known: Capabilities | None = None

    async def capabilities(self, deadline: Deadline) -> Capabilities:
        """Probed by a schema-bound answer and one token's alternatives, then remembered."""
        if self._known is None:
            schema = await enforces_schema(self, deadline)
            top = len(await self._alternatives(QUESTION, deadline)) if "logprobs" in self._fields else 0
            self._known = Capabilities(
                self.name, self._context, json_schema=schema, logprobs=top > 0, top_logprobs=top
            )
        return self._known

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling,
        deadline: Deadline,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        start = time.monotonic()
        wanted: dict[str, Any] = {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature}
        if sampling.seed is not None:
            wanted["seed"] = sampling.seed
        if sampling.stop:
            wanted["stop"] = list(sampling.stop)
        message = await self._ask(messages, wanted, schema, deadline)
        cut = _stopped(message) in ("length", "max_tokens", "MAX_TOKENS")
        text = without_thinking(_text(message))
        if not text:
            cause = Cause.TRUNCATED if cut else Cause.BAD_REPLY
            raise ModelError(f"{self.name}: the answer has no text", cause)
        return Reply(text, self.name, _usage(message), truncated=cut, seconds=time.monotonic() - start)

    async def label_scores(
        self, prompts: Sequence[Sequence[Message]], *, labels: Sequence[str], deadline: Deadline
    ) -> list[LabelScores]:
        """From the likeliest first tokens; UNSUPPORTED where the class has no such field."""
        gate = asyncio.Semaphore(self._concurrency)

        async def one(prompt: Sequence[Message]) -> LabelScores:
            async with gate:
                start = time.monotonic()
                message = await self._one_token(prompt, deadline)
                found = label_logprobs(_alternatives(message), labels)
                return LabelScores(found, self.name, _usage(message), time.monotonic() - start)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(prompt)) for prompt in prompts]
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [task.result() for task in tasks]

    async def count(self, messages: Sequence[Message]) -> int:
        """An estimate: LangChain's own counting fetches a tokenizer over the network."""
        return estimate_tokens(messages, self._characters)

    async def aclose(self) -> None:
        """LangChain's models keep their connections to themselves."""

    # -- one call ---------------------------------------------------------------------------------------

    async def _alternatives(self, messages: Sequence[Message], deadline: Deadline) -> list[tuple[str, float]]:
        try:
            return _alternatives(await self._one_token(messages, deadline))
        except ModelError as error:
            if error.cause in (Cause.BAD_REQUEST, Cause.UNSUPPORTED, Cause.BAD_REPLY):
                return []
            raise

    async def _one_token(self, prompt: Sequence[Message], deadline: Deadline) -> AIMessage:
        if "logprobs" not in self._fields:
            raise ModelError(
                f"{self.name}: {type(self.langchain).__name__} gives no log-probabilities; "
                "use the listwise method",
                Cause.UNSUPPORTED,
            )
        wanted = {"max_tokens": 1, "temperature": 0.0, "logprobs": True, "top_logprobs": TOP}
        return await self._ask(prompt, wanted, None, deadline)

    async def _ask(
        self,
        messages: Sequence[Message],
        wanted: Mapping[str, Any],
        schema: Mapping[str, Any] | None,
        deadline: Deadline,
    ) -> AIMessage:
        """One answer; `wanted` counts as far as the model's class has such fields."""
        known = {key: value for key, value in wanted.items() if key in self._fields}
        through_body = schema is not None and "extra_body" in self._fields
        if through_body:
            form = {"name": "answer", "strict": True, "schema": schema}
            body = {"response_format": {"type": "json_schema", "json_schema": form}}
            known["extra_body"] = {**(getattr(self.langchain, "extra_body", None) or {}), **body}
        chat = self.langchain.model_copy(update=known)
        rows = [(message.role, message.content) for message in messages]
        try:
            async with asyncio.timeout(deadline.left()):
                with contextlib.nullcontext() if self.tracing else untraced():
                    if schema is not None and not through_body:
                        with contextlib.suppress(NotImplementedError):
                            return await _living(lambda: _structured(chat, rows, schema))
                    found = await _living(lambda: chat.ainvoke(rows, APART))
        except TimeoutError as error:
            raise ModelError(f"{self.name}: no answer by the deadline", Cause.DEADLINE) from error
        except (openai.OpenAIError, httpx.HTTPError, OSError, ModelError) as error:
            raise translate(error, self.name) from error
        except Exception as error:  # each provider's library has its own, without a common base
            raise ModelError(f"{self.name}: {type(error).__name__}", Cause.SERVER_ERROR) from error
        return found


def configured(config: LLMConfig) -> ChatModel:
    """`model` through LangChain's init_chat_model; what is not given is the provider's own default."""
    if not config.model:
        raise ConfigError(
            '[llm] engine \'langchain\' needs a model as "PROVIDER:NAME", such as "anthropic:…"'
        )
    from langchain.chat_models import init_chat_model

    given: dict[str, Any] = {"max_retries": config.retries}
    if config.base_url:
        given["base_url"] = config.base_url
    if config.api_key:
        given["api_key"] = config.api_key.get_secret_value()
    if config.extra_body:
        given["extra_body"] = config.extra_body
    try:
        chat = init_chat_model(config.model, **given)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"[llm] model {config.model!r}: {error}") from error
    return LangChainModel(
        chat,
        context=config.context,
        characters_per_token=config.characters_per_token,
        concurrency=config.concurrency,
        tracing=config.tracing,
    )


async def _living(call: Callable[[], Awaitable[AIMessage]]) -> AIMessage:
    """Providers' packages keep one HTTP client for the process: its connections of an event loop that has
    ended fail once each, and are then gone."""
    while True:
        try:
            return await call()
        except RuntimeError as error:
            if str(error) != "Event loop is closed":
                raise
            await asyncio.sleep(0.01)


async def _structured(chat: BaseChatModel, rows: Any, schema: Mapping[str, Any]) -> AIMessage:
    """The raw answer, of which a tool call's arguments become the text."""
    bound = chat.with_structured_output({"title": "answer", **schema}, include_raw=True)
    answer: Any = await bound.ainvoke(rows, APART)
    raw = answer["raw"]
    if raw.tool_calls:
        raw = raw.model_copy(update={"content": json.dumps(raw.tool_calls[0]["args"], ensure_ascii=False)})
    return raw


def _text(message: AIMessage) -> str:
    """Text blocks only: a reasoning model's thoughts are blocks of another type."""
    return str(message.text)


def _stopped(message: AIMessage) -> str | None:
    facts = message.response_metadata
    return facts.get("finish_reason") or facts.get("stop_reason")


def _usage(message: AIMessage) -> Usage:
    used = message.usage_metadata
    if used is None:
        return Usage()
    cached = (used.get("input_token_details") or {}).get("cache_read") or 0
    return Usage(used["input_tokens"], used["output_tokens"], cached)


def _alternatives(message: AIMessage) -> list[tuple[str, float]]:
    """First token's alternatives, as OpenAI's protocol writes them; UNSUPPORTED where there are none."""
    try:
        first = message.response_metadata["logprobs"]["content"][0]
        return [(str(row["token"]), float(row["logprob"])) for row in first.get("top_logprobs") or [first]]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ModelError(
            "the answer holds no log-probabilities; use the listwise method", Cause.UNSUPPORTED
        ) from error
