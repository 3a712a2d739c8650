"""How candidates are found; a light module, since every command reads the settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class RecallConfig(BaseModel):
    """[recall]: candidates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    block: frozenset[str] = frozenset()
    """Item ids that are never proposed to anybody."""
    max_per_category: int = Field(0, ge=0)
    """Candidates at most per category; 0: no limit."""
    max_per_creator: int = Field(0, ge=0)
    """Candidates at most per creator; 0: no limit."""
