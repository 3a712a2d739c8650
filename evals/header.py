"""The first line of a run: what was asked of whom, by which code, written before anything is found."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evals.arms import Arm
from evals.cases import Pool
from evals.config import EvalConfig
from prompts import load
from recall.errors import ModelError
from rerank.methods import METHODS
from rerank.types import ChatModel, Deadline

FORMAT = 1
PROBE_SECONDS = 120


async def header(
    config: EvalConfig, pool: Pool, models: Mapping[str, ChatModel], compared: Sequence[Arm]
) -> dict[str, Any]:
    """Configuration, hashes of data, pool and prompts, models as served, seed, versions, commit, time."""
    served = {}
    for name, model in models.items():
        try:
            served[name] = (await model.capabilities(Deadline.after(PROBE_SECONDS))).model
        except ModelError as error:
            served[name] = f"{model.name} (not reached: {error.cause})"
    return {
        "kind": "run",
        "format": FORMAT,
        "name": config.name,
        "config_hash": config.hash,
        "config": config.model_dump(mode="json"),
        "pool": pool.hash,
        "data": dict(pool.header),
        "models": served,
        "prompts": {arm.name: _prompt(arm) for arm in compared if arm.config},
        "arms": [arm.name for arm in compared],
        "seed": config.seed,
        "commit": _commit(),
        "versions": {name: version(name) for name in ("whyrec", "numpy", "implicit", "openai")},
        "started": int(time.time()),
    }


def _prompt(arm: Arm) -> dict[str, str] | None:
    name = arm.rank.prompt or METHODS[arm.rank.method].prompt
    if not name:
        return None
    prompt = load(name)
    return {"id": prompt.id, "hash": prompt.hash}


def _commit() -> str | None:
    """Of the code that runs, where it runs from a checkout; '+' when files differ from it."""
    here = Path(__file__).parents[1]
    if not (here / ".git").exists():
        return None
    head = _git(here, "rev-parse", "--short=12", "HEAD")
    return head + ("+" if _git(here, "status", "--porcelain", "-uno") else "") if head else None


def _git(folder: Path, *command: str) -> str:
    try:
        done = subprocess.run(
            ["git", *command], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
