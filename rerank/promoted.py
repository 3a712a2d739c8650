"""The way to rank that an evaluation made the default: a small file of the workspace, only read here.

What whyrec.toml or the environment says goes before it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from recall.errors import ConfigError
from rerank.config import RankConfig

FILE = "promoted.json"
"""Under the workspace."""


class Promoted(BaseModel):
    """promoted.json: keys of [rank], and what they rest on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: dict[str, Any]
    run: str
    arm: str
    model: str
    """As served when it was measured."""
    people: int
    gain: float
    """Mean NDCG@10 over the recall order, per person; with the interval's ends."""
    low: float
    high: float
    forced: str | None = None
    """Why it was promoted though its interval reaches 0."""
    at: int
    """UTC seconds."""

    def save(self, workspace: Path) -> Path:
        """Write the file by one rename; returns its path."""
        workspace.mkdir(parents=True, exist_ok=True)
        path, part = workspace / FILE, workspace / f".{FILE}.{os.getpid()}"
        part.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        part.replace(path)
        return path


def load_promoted(workspace: Path) -> Promoted | None:
    """None where nothing was promoted. ConfigError for a damaged file."""
    path = workspace / FILE
    try:
        return Promoted.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError) as error:
        raise ConfigError(f"{path} can't be used ({error}); remove it, or promote an arm again") from error


def with_promoted(rank: RankConfig, workspace: Path) -> RankConfig:
    """`rank` with the promoted keys where it says nothing of its own."""
    promoted = load_promoted(workspace)
    if promoted is None:
        return rank
    own = rank.model_dump(include=rank.model_fields_set)
    try:
        return RankConfig.model_validate({**promoted.rank, **own})
    except ValidationError as error:
        raise ConfigError(
            f"{workspace / FILE}: its keys of [rank] don't fit ({error}); promote an arm again"
        ) from error
