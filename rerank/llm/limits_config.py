"""The sections [cache] and [budget] of whyrec.toml."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class CacheConfig(BaseModel):
    """[cache]: answers of language models that are kept in the store, each for its person and model alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    """Whether answers are kept and used again."""
    max_mb: float = Field(200.0, gt=0)
    """Megabytes of answers; beyond that the oldest go."""
    max_days: float = Field(30.0, gt=0)
    """Older answers are not used and go."""


class BudgetConfig(BaseModel):
    """[budget]: what language models may cost. Beyond it, answers keep recall order and say `budget`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request_tokens: int | None = Field(None, ge=1)
    """Prompt and completion tokens of one request, all its calls together; none: no limit."""
    request_money: float | None = Field(None, ge=0)
    """Money of one request, by the price file; none: no limit."""
    day_tokens: int | None = Field(None, ge=1)
    """Tokens of one day (UTC), of all processes that share the store; none: no limit."""
    day_money: float | None = Field(None, ge=0)
    """Money of one day (UTC), of all processes that share the store; none: no limit."""
    prices: Path | None = None
    """TOML file with a table [models."NAME"] for each model: prompt and completion, per million tokens."""

    @property
    def limits(self) -> bool:
        """Whether anything is limited."""
        return any(
            limit is not None
            for limit in (self.request_tokens, self.request_money, self.day_tokens, self.day_money)
        )

    @property
    def counts_money(self) -> bool:
        return self.request_money is not None or self.day_money is not None
