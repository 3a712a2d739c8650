"""Vectors of texts from any OpenAI-compatible /v1/embeddings; vLLM, llama.cpp, Ollama and OpenAI serve it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from recall.errors import ConfigError, ModelError
from rerank.knowledge.config import KnowledgeConfig
from rerank.llm.config import EndpointConfig
from rerank.llm.connection import Connection
from rerank.types import Cause, Deadline

KEPT = 1000
"""Vectors of wishes that stay in memory; the oldest go first."""


def embedder_name(config: KnowledgeConfig) -> str:
    """What vectors are comparable by: address and model; '' without an endpoint."""
    return f"{config.embeddings_url} {config.embeddings_model}".strip()


class Embedder:
    """One endpoint. Safe to use from one event loop at a time; a new loop gets new connections."""

    def __init__(self, config: KnowledgeConfig) -> None:
        """ConfigError without an endpoint or a model."""
        if not config.embeddings_url or not config.embeddings_model:
            raise ConfigError(
                f"[knowledge] embeddings_url {config.embeddings_url!r} and embeddings_model "
                f"{config.embeddings_model!r} are both needed for vectors from an endpoint; leave both out "
                "for TF-IDF in this process"
            )
        self.name = embedder_name(config)
        self._model, self._batch = config.embeddings_model, config.embeddings_batch
        self._connection = Connection(
            EndpointConfig(
                base_url=config.embeddings_url,
                api_key=config.embeddings_key if config.embeddings_key.get_secret_value() else None,
                concurrency=config.concurrency,
            )
        )
        self._size: int | None = None
        self._wishes: OrderedDict[str, np.ndarray] = OrderedDict()

    async def embed(self, texts: Sequence[str], deadline: Deadline) -> np.ndarray:
        """float32[texts × d] in their order, in requests of `embeddings_batch` that run beside each other;
        float32[0 × 0] for no text. ModelError when the endpoint fails, or answers with something else than
        one finite vector of the same length for each text."""
        if not texts:
            return np.zeros((0, 0), np.float32)
        batches = [texts[at : at + self._batch] for at in range(0, len(texts), self._batch)]
        tasks = [asyncio.ensure_future(self._one(batch, deadline)) for batch in batches]
        try:
            return np.concatenate(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def wish(self, text: str, deadline: Deadline) -> tuple[float, ...]:
        """The vector of one short text, kept in memory. ModelError as `embed`."""
        found = self._wishes.pop(text, None)
        if found is None:
            found = (await self.embed([text], deadline))[0]
        self._wishes[text] = found
        if len(self._wishes) > KEPT:
            self._wishes.popitem(last=False)
        return tuple(found.tolist())

    async def aclose(self) -> None:
        """End this event loop's connections."""
        await self._connection.aclose()

    async def __aenter__(self) -> Embedder:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _one(self, texts: Sequence[str], deadline: Deadline) -> np.ndarray:
        client = self._connection.client()

        async def ask() -> Any:
            sent = await client.embeddings.with_raw_response.create(
                model=self._model, input=list(texts), encoding_format="float"
            )
            return sent.http_response.json()

        async with self._connection.slot(deadline):
            answer = await self._connection.attempts(ask, deadline)
        found = self._read(answer, len(texts))
        if self._size is None:
            self._size = found.shape[1]
        if found.shape[1] != self._size:
            raise self._bad(f"vectors of {found.shape[1]} numbers after vectors of {self._size}")
        return found

    def _read(self, answer: Any, count: int) -> np.ndarray:
        rows = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or len(rows) != count:
            raise self._bad(f"no list of {count} vectors")
        placed: list[Any] = [None] * count
        for place, row in enumerate(rows):
            at = row.get("index", place) if isinstance(row, dict) else -1
            if not isinstance(at, int) or not 0 <= at < count or placed[at] is not None:
                raise self._bad("vectors that do not say which text they belong to")
            placed[at] = row.get("embedding")
        try:
            with np.errstate(over="ignore"):
                found = np.array(placed, np.float32)
        except (TypeError, ValueError) as error:
            raise self._bad("vectors that are no equally long lists of numbers") from error
        if found.ndim != 2 or not found.shape[1] or not np.isfinite(found).all():
            raise self._bad("vectors that are no equally long lists of finite numbers")
        return found

    def _bad(self, what: str) -> ModelError:
        return ModelError(f"{self._connection.address}/embeddings answered with {what}", Cause.BAD_REPLY)
