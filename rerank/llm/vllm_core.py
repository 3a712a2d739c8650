"""vLLM's engine in a thread with an event loop of its own: loaded once, asked from any loop, shut down."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from recall.errors import ModelError
from rerank.types import Cause

T = TypeVar("T")


class Core:
    """`weights` as rerank/llm/devserver/models.py takes them. The engine works in a child process."""

    def __init__(self, weights: str, *, context: int, kv_cache_gb: int, dtype: str | None) -> None:
        self._weights, self._context, self._kv_cache_gb, self._dtype = weights, context, kv_cache_gb, dtype
        self.engine: Any = None
        self.tokenizer: Any = None
        """Both set once loaded."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._loading: Future[None] | None = None

    async def ready(self) -> None:
        """Returns once the model is loaded; a load goes on when a caller leaves. ModelError: it failed."""
        with self._lock:
            if self._loading is None or (self._loading.done() and self._loading.exception() is not None):
                if self._loop is None:
                    self._loop = asyncio.new_event_loop()
                    self._thread = threading.Thread(
                        target=self._loop.run_forever, name="whyrec-vllm", daemon=True
                    )
                    self._thread.start()
                self._loading = asyncio.run_coroutine_threadsafe(self._load(), self._loop)
            loading = self._loading
        await asyncio.shield(asyncio.wrap_future(loading))

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """`work` in the engine's loop; leaving here cancels it there, which aborts its request."""
        assert self._loop is not None
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def close(self) -> None:
        """Ends the engine's process; the next `ready` starts another."""
        with self._lock:
            loop, thread, loading = self._loop, self._thread, self._loading
            self._loop = self._thread = self._loading = None
        if loop is None or thread is None:
            return
        if loading is not None:
            await asyncio.wait([asyncio.wrap_future(loading)])
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._end(), loop))
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)

    async def _end(self) -> None:
        engine, self.engine = self.engine, None
        if engine is not None:
            engine.shutdown(timeout=10)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _load(self) -> None:
        try:
            await self._start()
        except Exception as error:  # the library's own errors have no common base
            raise ModelError(f"{self._weights}: vLLM can't load it: {error}", Cause.NO_MODEL) from error

    async def _start(self) -> None:
        from rerank.llm.devserver.environment import Environment, flavour_here
        from rerank.llm.devserver.models import prepare

        flavour = flavour_here()
        served = prepare(self._weights, Environment(Path(sys.prefix), flavour))
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(self._kv_cache_gb))
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        if served.local:
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from vllm import SamplingParams
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        self.engine = AsyncLLM.from_engine_args(
            AsyncEngineArgs(
                model=served.source,
                dtype=self._dtype or ("float32" if served.exact and flavour == "cpu" else "auto"),
                max_model_len=self._context,
                enable_prefix_caching=True,
                enforce_eager=flavour == "cpu",
                generation_config="vllm",
                disable_log_stats=True,
            )
        )
        self.tokenizer = self.engine.get_tokenizer()
        # The first answer compiles kernels, for seconds: that belongs to loading, not to a request.
        first = {"prompt_token_ids": self.tokenizer.encode("Ready?")}
        async for _ in self.engine.generate(first, SamplingParams(max_tokens=1, logprobs=1), "whyrec-0"):
            pass
