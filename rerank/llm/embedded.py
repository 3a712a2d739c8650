"""The embedded engine: openvino-genai in a process of its own with a GGUF file: no server, no key, no GPU.

In this process it would hold the interpreter lock for up to half a second at a time, and no deadline could be
kept; the child (rerank/llm/child.py) is asked over a pipe, loads once, and dies with this process.
"""

from __future__ import annotations

import asyncio
import importlib.util
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recall.errors import MissingExtra, ModelError
from rerank.llm.gguf import read_header
from rerank.llm.process import Process
from rerank.types import Capabilities, Cause, Deadline, LabelScores, Message, Reply, Sampling, Usage


class EmbeddedModel:
    """The model of one GGUF file. Its process starts on first use; safe from several event loops."""

    weight = 0.0

    def __init__(
        self,
        weights: Path,
        *,
        context: int | None = None,
        kv_cache_gb: int = 1,
        prefix_caching: bool = True,
    ) -> None:
        """Without `prefix_caching` every prompt is read from its beginning: for benches."""
        if importlib.util.find_spec("openvino_genai") is None:
            raise MissingExtra("openvino-genai", "embedded")
        self.name = weights.stem
        file = weights.stat()
        self.identity = f"embedded {weights.name} {file.st_size} {file.st_mtime_ns}"
        limits = [limit for limit in (context, read_header(weights).context) if limit]
        self.context = min(limits) if limits else None
        settings = {"weights": str(weights), "context": self.context, "kv_cache_gb": kv_cache_gb}
        settings["prefix_caching"] = prefix_caching
        self._process = Process("rerank.llm.child", settings, name=self.name)
        weakref.finalize(self, self._process.close)

    async def capabilities(self, deadline: Deadline) -> Capabilities:
        """Starts the process and waits until the model is loaded."""
        await self._within(asyncio.shield(asyncio.wrap_future(self._process.ready())), deadline)
        return Capabilities(
            self.name, context=self.context, json_schema=True, logprobs=True, top_logprobs=0, tokenizer=True
        )

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling,
        deadline: Deadline,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        said = await self._call(
            deadline, "chat", messages=_rows(messages), sampling=asdict(sampling), schema=schema
        )
        return Reply(**said | {"usage": Usage(**said["usage"])})

    async def label_scores(
        self, prompts: Sequence[Sequence[Message]], *, labels: Sequence[str], deadline: Deadline
    ) -> list[LabelScores]:
        """Labels of several tokens are missing."""
        if not prompts:
            return []
        said = await self._call(
            deadline, "label_scores", prompts=[_rows(prompt) for prompt in prompts], labels=list(labels)
        )
        return [LabelScores(**one | {"usage": Usage(**one["usage"])}) for one in said]

    async def count(self, messages: Sequence[Message]) -> int:
        """By the model's own tokenizer and chat template; it stops counting at the model's context. Waits for
        the model to be loaded."""
        return int(await self._call(None, "count", messages=_rows(messages)))

    async def aclose(self) -> None:
        """Ends the process; the next use starts another one."""
        await asyncio.to_thread(self._process.close)

    async def _call(self, deadline: Deadline | None, what: str, **arguments: Any) -> Any:
        left = None if deadline is None else deadline.left()
        if left == 0:
            raise self._late()
        call = self._process.call(what, left=left, **arguments)
        try:
            return await self._within(asyncio.wrap_future(call.answer), deadline)
        finally:
            call.leave()

    async def _within(self, work: asyncio.Future[Any], deadline: Deadline | None) -> Any:
        try:
            async with asyncio.timeout(None if deadline is None else deadline.left()):
                return await work
        except TimeoutError as error:
            raise self._late() from error

    def _late(self) -> ModelError:
        return ModelError(f"{self.name}: no answer by the deadline", Cause.DEADLINE)


def _rows(messages: Sequence[Message]) -> list[list[str]]:
    return [[message.role, message.content] for message in messages]
