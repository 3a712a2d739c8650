"""Any OpenAI-compatible endpoint (vLLM's server, llama.cpp, Ollama, OpenAI itself) as a ChatModel.

The wire is rerank/llm/connection.py's: one retry loop that stays inside the deadline.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import openai

from recall.errors import ModelError
from rerank.labels import whole_orders
from rerank.llm.config import EndpointConfig
from rerank.llm.connection import Connection
from rerank.llm.estimate import estimate_tokens
from rerank.llm.faults import adaptation
from rerank.llm.replies import TOP, count_alternatives, only_among, read_completion, read_first_token
from rerank.types import Capabilities, Cause, Deadline, LabelScores, Message, Reply, Sampling


class OpenAIModel:
    """One endpoint. Safe to use from one event loop at a time; a new loop gets new connections."""

    weight = 0.5

    def __init__(self, config: EndpointConfig) -> None:
        self.config = config
        self.name = config.model or "(the endpoint's first)"
        self._connection = Connection(config)
        self.address = self._connection.address
        self._dropped: frozenset[str] = frozenset()
        self._known: Capabilities | None = None
        self._served: str | None = config.model

    @property
    def identity(self) -> str | None:
        """Address, model and further fields: what an answer depends on. None until the model is known."""
        if self._served is None:
            return None
        return json.dumps([self.address, self._served, self.config.extra_body], sort_keys=True)

    # -- the protocol -----------------------------------------------------------------------------------

    async def capabilities(self, deadline: Deadline) -> Capabilities:
        """Probed by rerank/llm/probe.py once, then remembered."""
        if self._known is None:
            from rerank.llm.probe import probe_endpoint

            self._known = await probe_endpoint(self, deadline)
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
        body: dict[str, Any] = {
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if schema is not None:
            form = whole_orders(schema) if self._known is not None and self._known.masks else dict(schema)
            wrapped = {"name": "answer", "strict": True, "schema": form}
            body["response_format"] = {"type": "json_schema", "json_schema": wrapped}
        raw = await self._complete(body, deadline)
        return read_completion(raw, asked=self._served or self.name, seconds=time.monotonic() - start)

    async def label_scores(
        self, prompts: Sequence[Sequence[Message]], *, labels: Sequence[str], deadline: Deadline
    ) -> list[LabelScores]:
        """From the 20 likeliest first tokens; a label below them is missing from the result, unless the
        endpoint masks the others (capabilities say so)."""
        async with _Together() as group:
            tasks = [group.create_task(self._first_token(prompt, labels, deadline)) for prompt in prompts]
        return [task.result() for task in tasks]

    async def count(self, messages: Sequence[Message]) -> int:
        """By the server's /tokenize once `capabilities` found one, else estimated."""
        if self._known is not None and self._known.tokenizer:
            counted = await self.tokenize(messages, Deadline.after(1.0))
            if counted is not None:
                return counted
        return estimate_tokens(messages, self.config.characters_per_token)

    async def aclose(self) -> None:
        await self._connection.aclose()

    # -- for the probe ----------------------------------------------------------------------------------

    async def models(self, deadline: Deadline) -> list[dict[str, Any]]:
        """What the endpoint lists, each with an `id`, and `max_model_len` where the server tells it."""
        client = self._connection.client()

        async def ask() -> list[dict[str, Any]]:
            listed = (await client.models.with_raw_response.list()).http_response.json()
            rows = listed.get("data") if isinstance(listed, dict) else None
            found = [row for row in rows or [] if isinstance(row, dict) and isinstance(row.get("id"), str)]
            if not found:
                raise ModelError(f"{self.address}/models names no model", Cause.BAD_REPLY)
            return found

        return await self._connection.attempts(ask, deadline)

    async def tokenize(self, messages: Sequence[Message], deadline: Deadline) -> int | None:
        """Prompt tokens by the server's own tokenizer (vLLM's /tokenize); None where it has none."""
        body = {"model": self._served, "messages": [{"role": m.role, "content": m.content} for m in messages]}
        try:
            async with asyncio.timeout(deadline.left()):
                answer = await self._connection.http.post(
                    f"{self.address.removesuffix('/v1')}/tokenize", json=body
                )
            found = answer.json().get("count")
        except (TimeoutError, httpx.HTTPError, ValueError, AttributeError):
            return None
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    async def alternatives(self, messages: Sequence[Message], deadline: Deadline) -> int:
        """How many alternatives the endpoint gives for one token; 0 where it gives none."""
        return count_alternatives(await self._one_token(messages, deadline))

    async def masks(self, messages: Sequence[Message], labels: Sequence[str], deadline: Deadline) -> bool:
        """Whether log-probabilities of a token bound to `labels` are of these alone (vLLM's
        --logprobs-mode processed_logprobs)."""
        return only_among(await self._one_token(messages, deadline, labels), labels)

    # -- one call ---------------------------------------------------------------------------------------

    async def _first_token(
        self, prompt: Sequence[Message], labels: Sequence[str], deadline: Deadline
    ) -> LabelScores:
        start = time.monotonic()
        bound = self._known is not None and self._known.masks
        raw = await self._one_token(prompt, deadline, labels if bound else ())
        return read_first_token(
            raw, labels, asked=self._served or self.name, seconds=time.monotonic() - start
        )

    async def _one_token(
        self, prompt: Sequence[Message], deadline: Deadline, labels: Sequence[str] = ()
    ) -> bytes:
        body: dict[str, Any] = {
            "messages": [{"role": message.role, "content": message.content} for message in prompt],
            "max_tokens": 1,
            "temperature": 0.0,
            "logprobs": True,
            "top_logprobs": TOP,
        }
        if labels:
            body["extra_body"] = {"structured_outputs": {"choice": list(labels)}}
        return await self._complete(body, deadline)

    async def _complete(self, body: dict[str, Any], deadline: Deadline) -> bytes:
        """The endpoint's answer as bytes: what is in it is for replies.py to doubt."""
        client = self._connection.client()

        async def ask() -> bytes:
            while True:
                if self._served is None:
                    self._served = (await self.models(deadline))[0]["id"]
                sent = {
                    "model": self._served,
                    **self._adapted(body),
                    "extra_body": {**self.config.extra_body, **body.get("extra_body", {})} or None,
                }
                try:
                    answer = await client.chat.completions.with_raw_response.create(**sent)
                except openai.BadRequestError as error:
                    drop = adaptation(error, body, self._dropped)
                    if drop is None:
                        raise
                    self._dropped |= {drop}
                    continue
                return answer.http_response.content

        async with self._connection.slot(deadline):
            return await self._connection.attempts(ask, deadline)

    def _adapted(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`body` without what this endpoint was found to refuse."""
        kept = {key: value for key, value in body.items() if key not in self._dropped}
        if "max_tokens" in self._dropped and "max_tokens" in body:
            kept["max_completion_tokens"] = body["max_tokens"]
        return kept


class _Together(asyncio.TaskGroup):
    """A task group that raises the first failure itself, not a group; the other tasks are cancelled."""

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            await super().__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
