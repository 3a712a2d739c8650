"""Where a workspace keeps its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recall.generations import Generations


@dataclass(frozen=True)
class Workspace:
    """The folder that holds data builds, artefacts, caches and, by default, the SQLite store."""

    folder: Path

    @property
    def builds(self) -> Generations:
        """Merged data: each generation holds recall/tables.py's tables as NAME.parquet, and report.json."""
        return Generations(self.folder / "builds")

    @property
    def models(self) -> Generations:
        """Trained artefacts: each generation is what recall/artefact.py writes."""
        return Generations(self.folder / "models")

    @property
    def knowledge(self) -> Generations:
        """What models read out of items' texts: each generation is what recall/content/snapshot.py reads."""
        return Generations(self.folder / "knowledge")

    @property
    def store_file(self) -> Path:
        """The SQLite store, where no other database is configured."""
        return self.folder / "whyrec.db"

    @property
    def weights(self) -> Path:
        """Fitted blend weights, small JSON files written by `whyrec fit`."""
        return self.folder / "weights"
