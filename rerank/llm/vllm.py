"""vLLM in this process, for offline batches: all requests under way share its continuous batch.

It runs where vLLM is installed, which is an environment of its own (rerank/llm/devserver). A caller that
leaves, or whose deadline passes, takes its request out of the batch.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import math
import sys
import time
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from recall.errors import ConfigError, ModelError
from rerank.labels import whole_orders
from rerank.llm.thinking import without_thinking
from rerank.llm.vllm_core import Core
from rerank.types import Capabilities, Cause, Deadline, LabelScores, Message, Reply, Sampling, Usage

T = TypeVar("T")

CONTEXT = 4096
"""Tokens of prompt and answer where the configuration says nothing."""


class VLLMModel:
    """One model. Loaded on first use, which takes a minute; ConfigError where vLLM is not installed."""

    weight = 0.5

    def __init__(
        self, weights: str, *, context: int | None = None, kv_cache_gb: int = 1, dtype: str | None = None
    ) -> None:
        """`weights`: a name or file that `whyrec llm pull` knows, a model's folder, or a hub's name."""
        if importlib.util.find_spec("vllm") is None:
            raise ConfigError(
                f"[llm] engine 'vllm': vLLM is not installed for {sys.executable}; it never shares the "
                "service's environment: install whyrec with --no-deps beside it, into the one whose Python "
                "`whyrec llm environment` prints, or serve a model with `whyrec llm serve` and use engine "
                "'openai'"
            )
        self.name = Path(weights).stem
        self.context = context or CONTEXT
        self._core = Core(weights, context=self.context, kv_cache_gb=kv_cache_gb, dtype=dtype)
        self._numbers = itertools.count(1)

    # -- the protocol -----------------------------------------------------------------------------------

    async def capabilities(self, deadline: Deadline) -> Capabilities:
        """Loads the model."""
        await self._within(self._core.ready(), deadline)
        return Capabilities(self.name, self.context, json_schema=True, logprobs=True, tokenizer=True)

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling,
        deadline: Deadline,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        from vllm.sampling_params import StructuredOutputsParams

        start = time.monotonic()
        ids = await self._encode(messages, sampling.max_tokens, deadline)
        bound = None if schema is None else StructuredOutputsParams(json=whole_orders(schema))
        params = self._params(
            max_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            seed=sampling.seed,
            stop=list(sampling.stop) or None,
            structured_outputs=bound,
        )
        output = await self._generate(ids, params, deadline)
        [answer] = output.outputs
        text, cut = without_thinking(answer.text), answer.finish_reason == "length"
        if not text and cut:
            raise ModelError(f"{self.name}: the token limit was reached before the answer", Cause.TRUNCATED)
        return Reply(text, self.name, _usage(output), truncated=cut, seconds=time.monotonic() - start)

    async def label_scores(
        self, prompts: Sequence[Sequence[Message]], *, labels: Sequence[str], deadline: Deadline
    ) -> list[LabelScores]:
        """The log-probability of every label that is one token, however unlikely."""
        start = time.monotonic()
        if not prompts:
            return []
        await self._within(self._core.ready(), deadline)
        single = {label: token for label in labels if (token := self._single(label)) is not None}
        if not single:
            raise ModelError(f"{self.name}: no label is one token; use single letters", Cause.UNSUPPORTED)
        ids = [await self._encode(prompt, 1, deadline) for prompt in prompts]
        params = self._params(max_tokens=1, temperature=0.0, logprob_token_ids=[*single.values()])
        # The others find the shared prefix in the cache only once the first one has filled it.
        outputs = [await self._generate(ids[0], params, deadline)]
        outputs += await asyncio.gather(*(self._generate(each, params, deadline) for each in ids[1:]))
        seconds = time.monotonic() - start
        return [
            LabelScores(_scores(output, single), self.name, _usage(output), seconds) for output in outputs
        ]

    async def count(self, messages: Sequence[Message]) -> int:
        """By the model's own tokenizer and chat template. Waits for the model to be loaded."""
        await self._core.ready()
        return len(await asyncio.to_thread(self._tokens, messages))

    async def aclose(self) -> None:
        """Ends the engine's process; the next use loads it again."""
        await self._core.close()

    # -- tokens -----------------------------------------------------------------------------------------

    def _tokens(self, messages: Sequence[Message]) -> list[int]:
        rows = [{"role": message.role, "content": message.content} for message in messages]
        # Templates without such a switch ignore it; those of reasoning models then think no thoughts aloud.
        text = self._core.tokenizer.apply_chat_template(
            rows, add_generation_prompt=True, tokenize=False, enable_thinking=False
        )
        return list(self._core.tokenizer.encode(text, add_special_tokens=False))

    def _single(self, label: str) -> int | None:
        ids = self._core.tokenizer.encode(label, add_special_tokens=False)
        return int(ids[0]) if len(ids) == 1 else None

    async def _encode(self, messages: Sequence[Message], room: int, deadline: Deadline) -> list[int]:
        await self._within(self._core.ready(), deadline)
        ids = await asyncio.to_thread(self._tokens, messages)
        if len(ids) + room > self.context:
            raise ModelError(
                f"{self.name}: {len(ids)} prompt tokens and {room} to answer do not fit into {self.context}",
                Cause.CONTEXT,
            )
        return ids

    # -- generation -----------------------------------------------------------------------------------

    @staticmethod
    def _params(**given: Any) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        return SamplingParams(output_kind=RequestOutputKind.FINAL_ONLY, **given)

    async def _generate(self, ids: list[int], params: Any, deadline: Deadline) -> Any:
        async def last() -> Any:
            name = f"whyrec-{next(self._numbers)}"
            asked = {"prompt_token_ids": ids}
            return [each async for each in self._core.engine.generate(asked, params.clone(), name)][-1]

        try:
            return await self._within(self._core.run(last()), deadline)
        except ModelError:
            raise
        except Exception as error:  # the library's own errors have no common base
            cause = Cause.BAD_REQUEST if isinstance(error, ValueError) else Cause.SERVER_ERROR
            raise ModelError(f"{self.name}: vLLM refused the request: {str(error)[-200:]}", cause) from error

    async def _within(self, work: Coroutine[Any, Any, T], deadline: Deadline) -> T:
        try:
            async with asyncio.timeout(deadline.left()):
                return await work
        except TimeoutError as error:
            raise ModelError(f"{self.name}: no answer by the deadline", Cause.DEADLINE) from error


def _scores(output: Any, single: Mapping[str, int]) -> dict[str, float]:
    found = output.outputs[0].logprobs[0]
    return {
        label: found[token].logprob
        for label, token in single.items()
        if token in found and math.isfinite(found[token].logprob)
    }


def _usage(output: Any) -> Usage:
    return Usage(
        len(output.prompt_token_ids), len(output.outputs[0].token_ids), output.num_cached_tokens or 0
    )
