"""A small evaluation for tests: the platforms of tests/whole.py, scripted models, a run in a few lines."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from api.settings import Settings, load_settings
from evals.cases import Pool
from evals.config import EvalConfig
from evals.recorder import JOB
from evals.run import Ended, run
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.types import ChatModel

_WORLDS: list[Path] = []
"""Where an earlier run of this process trained: the same worlds need no second training."""

_LINE = re.compile(r'^([A-Z]{1,2}): "([^"]*)"', re.MULTILINE)


def settings(whole: Path, folder: Path) -> Settings:
    """The settings of a copy of the trained world in `folder`, with what evaluations trained before."""
    shutil.copytree(whole.parent, folder, dirs_exist_ok=True)
    made = load_settings(folder / whole.name)
    for worlds in _WORLDS:
        if worlds.is_dir():
            shutil.copytree(worlds, made.workspace / "evals" / "worlds", dirs_exist_ok=True)
    return made


def declared(**fields: Any) -> EvalConfig:
    """An evaluation with one listwise arm 'model' unless told otherwise."""
    base = {
        "name": "test",
        "cases": {"split": "last", "people": 12, "candidates": 6},
        "arms": [{"name": "model"}],
        "concurrency": 2,
    }
    return EvalConfig.model_validate({**base, **fields})


async def go(
    settings: Settings, config: EvalConfig, model: ChatModel, **rest: Any
) -> tuple[Ended, Pool, list[dict[str, Any]]]:
    """Run with `model` as the default one: how it ended, the pool, and the rows."""
    ended = await run(settings, config, models={"default": model}, **rest)
    _WORLDS.append(settings.workspace / "evals" / "worlds")
    del _WORLDS[:-1]
    lines = (ended.folder / "results.jsonl").read_text().splitlines()
    return ended, Pool.load(ended.folder / "pool.jsonl"), [json.loads(line) for line in lines[1:]]


def answering(order: Callable[[Mapping[str, str], str], list[str]]) -> Callable[[Asked], str]:
    """A listwise answer: `order` gets label → title, and the title of the case's target."""

    def answer(asked: Asked) -> str:
        job = JOB.get()
        lines = dict(_LINE.findall(asked.messages[-1].content))
        return json.dumps({"order": order(lines, job.items[job.case.target].title)})

    return answer


def oracle(rate: float = 0.0, seed: int = 0) -> ScriptedModel:
    """Puts the target first; with odds `rate` its answer is shuffled instead, by person and `seed`."""

    def order(lines: Mapping[str, str], target: str) -> list[str]:
        draw = random.Random(f"{seed} {JOB.get().case.person}")
        labels = sorted(lines, key=lambda label: lines[label] != target)
        if draw.random() < rate:
            draw.shuffle(labels)
        return labels

    return ScriptedModel(answering(order), name=f"oracle-{rate:g}")
