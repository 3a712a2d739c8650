"""How the service is kept; a light module, since every command reads the settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SecurityConfig(BaseModel):
    """[security]: who may ask the HTTP service, and how much."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    open: bool = False
    """Answer without keys. For development: the service then listens on loopback addresses only."""
    per_minute: int = Field(600, ge=0)
    """Requests a minute of a key that has no limit of its own; 0: no limit."""
    tokens_per_day: int = Field(0, ge=0)
    """Tokens of language models a day of a key that has no limit of its own; 0: no limit."""
    origins: tuple[str, ...] = ()
    """Web origins whose pages may ask from a browser (CORS), as "https://shop.example"; none by default."""
