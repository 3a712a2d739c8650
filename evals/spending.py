"""Money: what a run has cost, and whether the next question may still be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from recall.errors import ConfigError
from rerank.llm.prices import Price
from rerank.types import Usage


class Spending:
    """`budget` None: no limit. A question is refused when it might end above the budget: what is under way
    and the question itself are taken to cost as much as the dearest so far."""

    def __init__(self, prices: Mapping[str, Price], budget: float | None) -> None:
        self._prices, self._budget = prices, budget
        self._running = 0
        self._dearest = 0.0
        self._last = 0.0

    def cost(self, usage: Mapping[str, Usage]) -> float | None:
        """Of tokens by model; None where a model has no price."""
        if any(name not in self._prices for name in usage):
            return None
        return sum(self._prices[name].of(used) for name, used in usage.items())

    def refuse(self, usage: Mapping[str, Usage]) -> str | None:
        """Why no further question may be asked; None when it may. ConfigError for a model without a price."""
        if self._budget is None:
            return None
        spent = self.cost(usage)
        if spent is None:
            lacking = next(name for name in usage if name not in self._prices)
            raise ConfigError(
                f"model {lacking!r} has no price, so --budget can't hold; add it to the price file"
            )
        self._dearest = max(self._dearest, spent - self._last if self._running <= 1 else 0.0)
        self._last = spent
        if spent >= self._budget or spent + self._dearest * (self._running + 1) > self._budget:
            return f"the budget of {self._budget:g} would be passed: {spent:.4f} is spent"
        return None

    @contextmanager
    def under_way(self, free: bool) -> Iterator[None]:
        """Around one question."""
        self._running += not free
        try:
            yield
        finally:
            self._running -= not free
