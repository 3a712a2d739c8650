"""What a model's tokens cost: a TOML file that a person keeps, since no API tells."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recall.errors import ConfigError
from rerank.types import Usage


class Price(BaseModel):
    """Money for a million tokens, in whatever currency the file is in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: float = Field(ge=0)
    completion: float = Field(ge=0)
    cached: float | None = Field(None, ge=0)
    """Of prompt tokens that the server had cached; none: as `prompt`."""

    def of(self, usage: Usage) -> float:
        cached = self.prompt if self.cached is None else self.cached
        fresh = max(0, usage.prompt - usage.cached)
        return (fresh * self.prompt + usage.cached * cached + usage.completion * self.completion) / 1e6


def load_prices(path: Path | None) -> dict[str, Price]:
    """Model name as served → price, from tables [models."NAME"]; {} for no file.

    ConfigError says what is wrong.
    """
    if path is None:
        return {}
    try:
        tables: Mapping[str, object] = tomllib.loads(path.read_text(encoding="utf-8")).get("models", {})
        return {name: Price.model_validate(table) for name, table in tables.items()}
    except (OSError, ValueError, ValidationError, AttributeError) as error:
        raise ConfigError(
            f"{path}: prices can't be read ({error}); a table for each model: "
            '[models."NAME"] with prompt and completion, per million tokens'
        ) from error
