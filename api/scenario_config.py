"""[scenarios.NAME] and [experiments.NAME]; a light module, since every command reads the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from recall.errors import ConfigError
from recall.recall_config import RecallConfig
from rerank.config import RankConfig, ReasonsConfig
from rerank.knowledge.config import KnowledgeConfig

PRESETS: Mapping[str, dict[str, Any]] = {
    "shop": {"k": 12, "rank": {"domain": "shop", "deadline": 2.0}, "recall": {"max_per_category": 4}},
    "social": {"k": 20, "mode": "rank", "rank": {"domain": "posts", "deadline": 1.0, "depth": 40},
               "recall": {"max_per_creator": 2}},
    "music": {"k": 20, "rules": {"repeats": True}, "rank": {"domain": "music", "deadline": 2.0},
              "recall": {"max_per_creator": 2}},
    "courses": {"k": 5, "rank": {"domain": "courses", "deadline": 8.0, "depth": 30},
                "reasons": {"per": "item"}, "recall": {"max_per_creator": 2}},
    "films": {"k": 10, "rank": {"domain": "films", "deadline": 5.0}, "recall": {"max_per_category": 5}},
}  # fmt: skip
"""Beginnings for the commonest places; every key can be set otherwise."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RulesConfig(_Section):
    """What a scenario may propose; a request's own filters come on top."""

    categories_in: tuple[str, ...] = ()
    """Only items with at least one of these."""
    categories_out: tuple[str, ...] = ()
    """No item with any of these."""
    languages: tuple[str, ...] = ()
    price_max: float | None = Field(None, ge=0)
    max_age_rating: int | None = Field(None, ge=0, le=99)
    exclude: tuple[str, ...] = ()
    """Item ids never to be proposed here."""
    repeats: bool = False
    """Whether items that the person already had may be proposed."""


_SECTIONS: dict[str, type[BaseModel]] = {
    "rank": RankConfig,
    "reasons": ReasonsConfig,
    "recall": RecallConfig,
    "knowledge": KnowledgeConfig,
}


class ArmConfig(_Section):
    """How one way to recommend differs from [rank], [reasons], [recall], [knowledge] and [llm]."""

    rank: dict[str, Any] = {}
    """Keys of [rank]: method, prompt, depth, weight, deadline …"""
    reasons: dict[str, Any] = {}
    """Keys of [reasons]."""
    recall: dict[str, Any] = {}
    """Keys of [recall]."""
    knowledge: dict[str, Any] = {}
    """Keys of [knowledge]: what answers show and rest on."""
    model: str | None = None
    """Another model of the configured endpoint."""

    @model_validator(mode="after")
    def _known_keys(self) -> Self:
        for name, section in _SECTIONS.items():
            section.model_validate(getattr(self, name))
        return self


class ScenarioConfig(ArmConfig):
    """[scenarios.NAME]: a place where recommendations are shown. What a request says itself comes first."""

    preset: Literal["shop", "social", "music", "courses", "films"] | None = None
    """A beginning whose keys these are added to and override."""
    platform: str | None = None
    """The platform that asks."""
    k: int | None = Field(None, ge=1, le=100)
    """How many items."""
    mode: Literal["recall", "rank", "explain"] | None = None
    language: Literal["en", "zh"] | None = None
    rules: RulesConfig = RulesConfig()

    @model_validator(mode="before")
    @classmethod
    def _take_preset(cls, values: Any) -> Any:
        """The preset's keys first; tables are merged key by key."""
        if not isinstance(values, dict) or values.get("preset") not in PRESETS:
            return values
        merged: dict[str, Any] = dict(PRESETS[values["preset"]])
        for key, value in values.items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = merged[key] | value if both else value
        return merged


class ExperimentArm(ArmConfig):
    share: float = Field(1.0, gt=0)
    """Part of the persons, against the other arms' shares."""


class ExperimentConfig(_Section):
    """[experiments.NAME]: persons are dealt to arms by a stable hash; answer and journal name the arm."""

    scenario: str | None = None
    """The scenario that it varies; none given: requests that name no scenario."""
    arms: dict[str, ExperimentArm] = Field(min_length=2)
    """An arm without keys of its own is the control."""
    salt: str = ""
    """Deals the persons anew; none given: the experiment's name does."""


def check_experiments(
    scenarios: Mapping[str, ScenarioConfig], experiments: Mapping[str, ExperimentConfig]
) -> None:
    """ConfigError for an experiment on a scenario that is not there, or two on one."""
    seen: dict[str | None, str] = {}
    for name, one in experiments.items():
        if one.scenario is not None and one.scenario not in scenarios:
            known = ", ".join(sorted(scenarios)) or "none"
            raise ConfigError(f"experiments.{name}: no scenario {one.scenario!r}; have {known}")
        if one.scenario in seen:
            raise ConfigError(
                f"experiments.{name} and experiments.{seen[one.scenario]}: one scenario, two of them"
            )
        seen[one.scenario] = name
