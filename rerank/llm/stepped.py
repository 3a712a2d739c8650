"""openvino-genai with a GGUF file, in the process that runs it (rerank/llm/child.py).

One thread owns the pipeline and steps it: all requests under way share each step (continuous batching),
and one whose deadline passed, or whose caller left, is cancelled between two steps. A step takes at most
STEP_TOKENS tokens, so that the next request never waits long for a dead one.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recall.errors import MissingExtra, ModelError
from rerank.labels import whole_orders
from rerank.llm.gguf import read_header
from rerank.llm.stepper import Job, Stepper
from rerank.llm.thinking import without_thinking
from rerank.types import Capabilities, Cause, Deadline, LabelScores, Message, Reply, Sampling, Usage

STEP_TOKENS = 64
"""Prompt tokens that one step takes at most. A step can't be stopped, and the library keeps the interpreter
lock meanwhile: on two busy cores up to 0.46 s with 64 tokens, 1.28 s with 256; prompts are read equally fast
within the noise."""

_UNKNOWN_CONTEXT = 1 << 24
"""Where neither the file nor the configuration says how much the model takes."""


class SteppedModel:
    """The model of one GGUF file, as a ChatModel. Loaded on first use, in its own thread."""

    weight = 0.0

    def __init__(
        self,
        weights: Path,
        *,
        context: int | None = None,
        kv_cache_gb: int = 1,
        prefix_caching: bool = True,
    ) -> None:
        try:
            import openvino_genai
        except ImportError as error:
            raise MissingExtra("openvino-genai", "embedded") from error
        self._genai = openvino_genai
        header = read_header(weights)
        self.name = weights.stem
        self.context = min(context or _UNKNOWN_CONTEXT, header.context or _UNKNOWN_CONTEXT)
        self._stepper = Stepper(
            lambda: self._load(weights, kv_cache_gb, prefix_caching), name=f"whyrec-{self.name}"[:15]
        )

    def _load(self, weights: Path, kv_cache_gb: int, prefix_caching: bool) -> Any:
        scheduler = self._genai.SchedulerConfig()
        scheduler.enable_prefix_caching = prefix_caching
        scheduler.cache_size = kv_cache_gb
        scheduler.max_num_batched_tokens = STEP_TOKENS
        # bfloat16 rounds log-probabilities to eighths, which ties labels; f32 costs a tenth of the speed.
        # Activations in 8 bits (the default) make an answer depend on how much of its prompt was cached:
        # log-probabilities moved by 0.15 between two calls. Without them reading takes 1.7 times as long.
        precise = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
        pipeline = self._genai.ContinuousBatchingPipeline(str(weights), scheduler, "CPU", precise)
        # The first step compiles kernels and takes seconds: that belongs to loading, not to a request.
        first = self._genai.GenerationConfig()
        first.max_new_tokens = 2
        pipeline.add_request(0, pipeline.get_tokenizer().encode("warm " * STEP_TOKENS).input_ids, first)
        while pipeline.has_non_finished_requests():
            pipeline.step()
        return pipeline

    async def capabilities(self, deadline: Deadline) -> Capabilities:
        """Loads the model."""
        await self._within(self._stepper.ready(), deadline)
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
        start = time.monotonic()
        ids, length = await self._encode(messages, sampling.max_tokens, deadline)
        config = self._config(sampling)
        if schema is not None:
            form = json.dumps(whole_orders(schema), ensure_ascii=False)
            config.structured_output_config = self._genai.StructuredOutputConfig(json_schema=form)
        [output] = await self._run([(ids, config)], deadline)
        tokens = list(output.generated_ids)
        text = without_thinking(self._tokenizer().decode(tokens))
        cut = output.finish_reason == self._genai.GenerationFinishReason.LENGTH
        if not text and cut:
            raise ModelError(f"{self.name}: the token limit was reached before the answer", Cause.TRUNCATED)
        seconds = time.monotonic() - start
        return Reply(text, self.name, Usage(length, len(tokens)), truncated=cut, seconds=seconds)

    async def label_scores(
        self, prompts: Sequence[Sequence[Message]], *, labels: Sequence[str], deadline: Deadline
    ) -> list[LabelScores]:
        """One request per prompt and label, its first token bound to the label by a grammar; what comes back
        is the log-probability from before the grammar's mask. Labels of several tokens are missing."""
        start = time.monotonic()
        if not prompts:
            return []
        encoded = [await self._encode(prompt, 1, deadline) for prompt in prompts]
        single = {label: token for label in labels if (token := self._single(label)) is not None}
        if not single:
            raise ModelError(f"{self.name}: no label is one token; use single letters", Cause.UNSUPPORTED)
        asked = [(ids, self._bound(label)) for label in single for ids, _ in encoded]
        # What shares a prefix finds it in the cache only once another request has filled it: the first
        # prompt goes ahead, then every prompt once, then the other labels.
        outputs: list[Any] = []
        for until in (1, len(encoded), len(asked)):
            outputs += await self._run(asked[len(outputs) : until], deadline)
        seconds = time.monotonic() - start
        results = []
        for place, (_, length) in enumerate(encoded):
            own = outputs[place :: len(encoded)]
            found = {
                label: float(output.generated_log_probs[0])
                for (label, token), output in zip(single.items(), own, strict=True)
                if list(output.generated_ids) == [token] and math.isfinite(output.generated_log_probs[0])
            }
            results.append(LabelScores(found, self.name, Usage(length * len(own), len(own)), seconds))
        return results

    async def count(self, messages: Sequence[Message]) -> int:
        """By the model's own tokenizer and chat template; it stops counting at the model's context. Waits for
        the model to be loaded."""
        await self._stepper.ready()
        return int((await asyncio.to_thread(self._tokens, messages)).shape[1])

    async def aclose(self) -> None:
        await asyncio.to_thread(self._stepper.close)

    # -- tokens -----------------------------------------------------------------------------------------

    def _tokenizer(self) -> Any:
        return self._stepper.pipeline.get_tokenizer()

    def _tokens(self, messages: Sequence[Message]) -> Any:
        tokenizer = self._tokenizer()
        rows = [{"role": message.role, "content": message.content} for message in messages]
        text = tokenizer.apply_chat_template(rows, add_generation_prompt=True)
        return tokenizer.encode(text, add_special_tokens=False).input_ids

    def _single(self, label: str) -> int | None:
        ids = self._tokenizer().encode(label, add_special_tokens=False).input_ids
        return int(ids.data[0][0]) if ids.shape[1] == 1 else None

    async def _encode(self, messages: Sequence[Message], room: int, deadline: Deadline) -> tuple[Any, int]:
        await self._within(self._stepper.ready(), deadline)
        ids = await asyncio.to_thread(self._tokens, messages)
        length = int(ids.shape[1])
        if length + room > self.context:
            raise ModelError(
                f"{self.name}: {length} prompt tokens and {room} to answer do not fit into {self.context}",
                Cause.CONTEXT,
            )
        return ids, length

    # -- generation -------------------------------------------------------------------------------------

    def _config(self, sampling: Sampling) -> Any:
        config = self._genai.GenerationConfig()
        config.max_new_tokens = sampling.max_tokens
        end = self._tokenizer().get_eos_token_id()
        config.eos_token_id = end
        config.stop_token_ids = {end}
        if sampling.stop:
            config.stop_strings = set(sampling.stop)
        if sampling.temperature > 0:
            config.do_sample = True
            config.temperature = sampling.temperature
            config.rng_seed = sampling.seed or 0
        return config

    def _bound(self, label: str) -> Any:
        config = self._genai.GenerationConfig()
        config.max_new_tokens = 1
        config.logprobs = 1
        config.structured_output_config = self._genai.StructuredOutputConfig(regex=re.escape(label))
        return config

    async def _run(self, requests: Sequence[tuple[Any, Any]], deadline: Deadline) -> list[Any]:
        jobs = [Job(ids, config, deadline) for ids, config in requests]
        self._stepper.submit(jobs)
        try:
            gathered = asyncio.gather(*(asyncio.wrap_future(job.future) for job in jobs))
            return list(await self._within(gathered, deadline))
        finally:
            for job in jobs:
                job.abandoned = True  # no effect on one that is done

    async def _within(self, work: Any, deadline: Deadline) -> Any:
        try:
            async with asyncio.timeout(deadline.left()):
                return await work
        except TimeoutError as error:
            raise ModelError(f"{self.name}: no answer by the deadline", Cause.DEADLINE) from error
