"""What is compared: fixed rows, and arms of prompt × method × model × parameters; grids spelt out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from pydantic import ValidationError

from evals.cases import Case
from evals.config import ArmConfig, EvalConfig
from recall.errors import ConfigError
from rerank.config import RankConfig, ReasonsConfig
from rerank.knowledge.config import KnowledgeConfig


@dataclass(frozen=True, slots=True)
class Arm:
    """One row of the comparison. A fixed one has no configuration."""

    name: str
    config: ArmConfig | None = None
    rank: RankConfig = field(default_factory=lambda: RankConfig(method="keep-order"))
    reasons: ReasonsConfig = field(default_factory=lambda: ReasonsConfig(enabled=False))
    knowledge: KnowledgeConfig = field(default_factory=KnowledgeConfig)

    @property
    def fixed(self) -> bool:
        return self.config is None

    @property
    def asks(self) -> bool:
        """Whether it asks a model: for an order, or for reasons over recall's order."""
        return self.config is not None and (self.config.method != "keep-order" or self.reasons.enabled)

    @property
    def repeats(self) -> int:
        return 1 if self.config is None else self.config.repeats

    def shown(self, case: Case, repeat: int, seed: int) -> list[int]:
        """The candidates' positions in the order in which the pipeline gets them.

        For a fixed row that is its answer; a shuffled arm gets another order for each repeat.
        """
        n = len(case.candidates)
        if self.config is not None:
            return _shuffled(n, case, f"{seed} {repeat}") if self.config.shuffle else list(range(n))
        if self.name == "random":
            return _shuffled(n, case, f"{seed} random")
        if self.name == "oracle":
            return sorted(range(n), key=lambda at: case.candidates[at].item != case.target)
        scores = {"popular": case.popularity, "als": case.plain}.get(self.name)
        return list(range(n)) if scores is None else sorted(range(n), key=lambda at: -scores[at])


def arms(
    config: EvalConfig, rank: RankConfig, reasons: ReasonsConfig, knowledge: KnowledgeConfig | None = None
) -> tuple[Arm, ...]:
    """Fixed rows, then the declared arms with grids spelt out, over the sections [rank], [reasons] and
    [knowledge].

    ConfigError for a name that two arms have, an unknown model or key, and values that do not fit.
    """
    found = [Arm(name) for name in config.fixed]
    for declared in config.arms:
        for one in _spelt_out(declared):
            if one.model != "default" and one.model not in config.models:
                known = ", ".join(["default", *config.models])
                raise ConfigError(f"arm {one.name!r}: no model {one.model!r}; known: {known}")
            known_by = _knowledge(one, knowledge or KnowledgeConfig())
            found.append(Arm(one.name, one, _rank(one, rank), _reasons(one, reasons), known_by))
    names = [arm.name for arm in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ConfigError(f"two arms are called {twice!r}: give each its own name")
    return tuple(found)


def _rank(arm: ArmConfig, base: RankConfig) -> RankConfig:
    own = {"method": arm.method, "prompt": arm.prompt, "weight": arm.weight, "deadline": arm.deadline}
    try:
        return RankConfig.model_validate({**base.model_dump(), **arm.rank, **own})
    except ValidationError as error:
        raise ConfigError(f"arm {arm.name!r}: {_told(error)}") from error


def _reasons(arm: ArmConfig, base: ReasonsConfig) -> ReasonsConfig:
    own = arm.reasons if isinstance(arm.reasons, dict) else {}
    try:
        return ReasonsConfig.model_validate({**base.model_dump(), **own, "enabled": bool(arm.reasons)})
    except ValidationError as error:
        raise ConfigError(f"arm {arm.name!r}: reasons: {_told(error)}") from error


def _knowledge(arm: ArmConfig, base: KnowledgeConfig) -> KnowledgeConfig:
    try:
        return KnowledgeConfig.model_validate({**dict(base), **arm.knowledge})
    except ValidationError as error:
        raise ConfigError(f"arm {arm.name!r}: knowledge: {_told(error)}") from error


def _spelt_out(arm: ArmConfig) -> Sequence[ArmConfig]:
    if not arm.grid:
        return (arm,)
    spelt = []
    for values in product(*arm.grid.values()):
        chosen = dict(zip(arm.grid, values, strict=True))
        fields: dict[str, Any] = {**arm.model_dump(exclude={"grid"}), "rank": dict(arm.rank)}
        fields["knowledge"] = dict(arm.knowledge)
        for key, value in chosen.items():
            table, _, own = key.partition(".")
            if own and table in ("rank", "knowledge"):
                fields[table][own] = value
            else:
                fields[key] = value
        words = [
            re.sub(r"[^a-z0-9._+-]+", "-", f"{key.rsplit('.')[-1]}-{value}".lower())
            for key, value in chosen.items()
        ]
        fields["name"] = "+".join([arm.name, *words])[:80]
        try:
            spelt.append(ArmConfig.model_validate(fields))
        except ValidationError as error:
            raise ConfigError(f"arm {arm.name!r}, grid {chosen}: {_told(error)}") from error
    return spelt


def _told(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)
    )


def _shuffled(n: int, case: Case, salt: str) -> list[int]:
    """The same for every arm with this salt, so that arms are compared on the same shown orders."""
    own = int.from_bytes(hashlib.sha256(f"{salt} {case.person}".encode()).digest()[:8])
    order: list[int] = np.random.default_rng(own).permutation(n).tolist()
    return order
