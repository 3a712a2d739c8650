"""What lies around an engine: the cache, the breaker, the budget, in this order from the outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from recall.store import Store
from rerank.llm.breaker import Guarded
from rerank.llm.budget import Budget, LimitedModel
from rerank.llm.cache import Cache
from rerank.llm.cached import CachedModel
from rerank.llm.fallback import Fallback
from rerank.llm.limits_config import BudgetConfig, CacheConfig
from rerank.types import ChatModel


@dataclass(frozen=True, slots=True)
class Layers:
    """Shared by all models of a process. Each endpoint gets its own, so that one's answers are never taken
    for another's."""

    cache: Cache | None = None
    budget: Budget | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, cache: CacheConfig, budget: BudgetConfig, store: Store | None
    ) -> AsyncIterator[Layers]:
        """Without a store there is neither cache nor day's limit. Writes what is queued before it closes."""
        kept = Cache(store, cache) if store is not None and cache.enabled else None
        try:
            yield cls(kept, Budget(budget, store) if budget.limits else None)
        finally:
            if kept is not None:
                await kept.aclose()

    def around(self, model: ChatModel) -> ChatModel:
        """`model`, as rerank.llm.make_model gives it, with these around each of its endpoints."""
        if isinstance(model, Fallback):
            return Fallback([self.around(one) for one in model.models])
        if isinstance(model, Guarded):
            model = Guarded(self._limited(model.model), model.breaker)
        else:
            model = self._limited(model)
        return model if self.cache is None else CachedModel(model, self.cache)

    def _limited(self, model: ChatModel) -> ChatModel:
        return model if self.budget is None else LimitedModel(model, self.budget)
