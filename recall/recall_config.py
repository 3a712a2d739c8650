"""How candidates are found; a light module, since every command reads the settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class RecallConfig(BaseModel):
    """[recall]: candidates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    block: frozenset[str] = frozenset()
    """Item ids that are never proposed to anybody."""
    diversity: float = Field(0.0, ge=0, le=1)
    """Share of unlikeness in the order of the first 300 (maximal marginal relevance); 0: none."""
    explore: float = Field(0.0, ge=0, le=0.5)
    """Share of places that go to new listings of the platform, drawn for each person and day among those that
    suit by their texts; 0: none."""
    max_per_category: int = Field(0, ge=0)
    """Candidates at most per category; 0: no limit."""
    max_per_creator: int = Field(0, ge=0)
    """Candidates at most per creator; 0: no limit."""
