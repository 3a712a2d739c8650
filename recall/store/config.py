"""The [store] section of whyrec.toml."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class StoreConfig(BaseModel):
    """Where live events, decisions about links and consent are kept."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = None
    """sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE; none: whyrec.db in the workspace."""

    def resolve(self, default: Path) -> str:
        """The URL to open: the configured one, else SQLite in `default`."""
        return self.url or f"sqlite:///{default}"
