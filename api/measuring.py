"""Readiness's measurement of the language model: made once, when it is first asked for, then shown."""

from __future__ import annotations

import asyncio

from recall.errors import ModelError
from rerank.llm.measure import Measured, measure
from rerank.types import ChatModel, Deadline

SECONDS = 60.0
"""How long it may take; it costs about 1,500 tokens."""


class Measuring:
    """Callers at the same time wait for one measurement; one that failed is made again."""

    def __init__(self) -> None:
        self.found: Measured | None = None
        self._lock = asyncio.Lock()

    async def of(self, model: ChatModel) -> Measured | None:
        """None where the model can't be asked."""
        async with self._lock:
            if self.found is None:
                try:
                    async with asyncio.timeout(SECONDS):
                        self.found = await measure(model, Deadline.after(SECONDS))
                except (ModelError, TimeoutError):
                    return None
            return self.found
