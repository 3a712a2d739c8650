"""Scenarios and experiments at work: which pipeline answers a request, and under which arm."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from api.scenario_config import ArmConfig, ExperimentConfig, RulesConfig, ScenarioConfig, check_experiments
from api.settings import Settings
from recall.errors import ConfigError, NotFound
from recall.ids import SEPARATOR
from recall.protocols import Stock
from recall.recall_config import RecallConfig
from recall.types import Filters
from rerank.llm import make_model, with_environment
from rerank.pipeline import Pipeline
from rerank.types import Request

Config = TypeVar("Config", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Plan:
    """How one request is answered."""

    pipeline: Pipeline
    scenario: str | None = None
    experiment: str | None = None
    arm: str | None = None
    propensity: float = 1.0
    """Probability with which the arm was drawn."""


class Scenarios:
    """All of the configuration's, over one pipeline."""

    def __init__(
        self, settings: Settings, pipeline: Pipeline, made: dict[tuple[str | None, str | None], Pipeline]
    ) -> None:
        self._configs = settings.scenarios
        self._experiments = {one.scenario: (name, one) for name, one in settings.experiments.items()}
        self._pipeline = pipeline
        self._made = made

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, pipeline: Pipeline) -> AsyncIterator[Scenarios]:
        """Every scenario and arm is made at once, so that a wrong one is found at the start. ConfigError."""
        check_experiments(settings.scenarios, settings.experiments)
        made: dict[tuple[str | None, str | None], Pipeline] = {}
        async with AsyncExitStack() as stack:
            for name, scenario in settings.scenarios.items():
                made[name, None] = _variant(settings, pipeline, f"scenarios.{name}", stack, scenario)
            for name, experiment in settings.experiments.items():
                base = settings.scenarios.get(experiment.scenario or "")
                for arm, config in experiment.arms.items():
                    where = f"experiments.{name}.arms.{arm}"
                    configs = (base, config) if base else (config,)
                    made[experiment.scenario, arm] = _variant(settings, pipeline, where, stack, *configs)
            yield cls(settings, pipeline, made)

    def config(self, name: str | None) -> ScenarioConfig:
        """NotFound for a scenario that the configuration does not have; the empty one for none."""
        if name is None:
            return ScenarioConfig()
        if name not in self._configs:
            raise NotFound(f"no scenario {name!r}; have {', '.join(sorted(self._configs)) or 'none'}")
        return self._configs[name]

    def plan(self, scenario: str | None, arm: str | None, person: str | None) -> Plan:
        """`arm` asks for one arm of the scenario's experiment, which then does not count in it; else a person
        is dealt to one. Nobody in particular takes part in no experiment. NotFound."""
        name, experiment = self._experiments.get(scenario, (None, None))
        if arm is not None:
            if experiment is None or arm not in experiment.arms:
                known = ", ".join(experiment.arms) if experiment else "none"
                raise NotFound(f"no arm {arm!r} for scenario {scenario!r}; have {known}")
            return Plan(self._made[scenario, arm], scenario, None, arm)
        if name is not None and experiment is not None and person is not None:
            chosen, propensity = deal(name, experiment, person)
            return Plan(self._made[scenario, chosen], scenario, name, chosen, propensity)
        return Plan(self._made.get((scenario, None), self._pipeline), scenario)


def deal(name: str, experiment: ExperimentConfig, person: str) -> tuple[str, float]:
    """The person's arm and the probability of it: by a hash, the same in every process and on every day."""
    text = SEPARATOR.join((experiment.salt or name, person))
    point = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
    total = sum(arm.share for arm in experiment.arms.values())
    reached = 0.0
    for arm, config in experiment.arms.items():
        reached += config.share / total
        if point < reached:
            return arm, config.share / total
    arm, config = list(experiment.arms.items())[-1]
    return arm, config.share / total


def under(config: ScenarioConfig, request: Request) -> Request:
    """The request within the scenario's rules: what either forbids is forbidden."""
    rules, asked = config.rules, request.filters
    filters = Filters(
        categories_in=_both(rules.categories_in, asked.categories_in),
        categories_out=asked.categories_out | set(rules.categories_out),
        languages=_both(rules.languages, asked.languages),
        price_max=_least(rules.price_max, asked.price_max),
        max_age_rating=_least(rules.max_age_rating, asked.max_age_rating),
        exclude=asked.exclude | set(rules.exclude),
        repeats=asked.repeats or rules.repeats,
    )
    return request if rules == RulesConfig() else replace(request, filters=filters)


def _both(rule: tuple[str, ...], asked: frozenset[str]) -> frozenset[str]:
    """Of two lists of what is allowed, where an empty one allows all; nothing in common allows nothing."""
    if not rule or not asked:
        return asked or frozenset(rule)
    return (asked & frozenset(rule)) or frozenset({SEPARATOR})


def _least(one: Any, other: Any) -> Any:
    return min((each for each in (one, other) if each is not None), default=None)


def _variant(
    settings: Settings, pipeline: Pipeline, where: str, stack: AsyncExitStack, *configs: ArmConfig
) -> Pipeline:
    """The pipeline with the sections that these configurations change, the later ones over the earlier."""
    rank = _changed(settings.rank, where, "rank", configs)
    reasons = _changed(settings.reasons, where, "reasons", configs)
    recall = _changed(settings.recall, where, "recall", configs)
    uses = _changed(settings.knowledge, where, "knowledge", configs)
    name = next((config.model for config in reversed(configs) if config.model), None)
    model = None
    if name is not None:
        llm = with_environment(settings.llm, os.environ).model_copy(update={"model": name})
        model = make_model(llm, {})
        if model is not None:
            stack.push_async_callback(model.aclose)
            model = model if pipeline.layers is None else pipeline.layers.around(model)
    stock = None if recall == settings.recall else _with_rules(pipeline.stock, recall)
    return pipeline.variant(rank=rank, reasons=reasons, model=model, stock=stock, uses=uses)


def _changed(base: Config, where: str, section: str, configs: tuple[ArmConfig, ...]) -> Config:
    changes = {key: value for config in configs for key, value in getattr(config, section).items()}
    try:
        return type(base).model_validate({**dict(base), **changes})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"[{where}.{section}] {key}: {problem['msg']}") from error


def _with_rules(stock: Callable[[], Stock], config: RecallConfig) -> Callable[[], Stock]:
    """The current stock with other rules; made anew only when another artefact is current."""
    held: list[tuple[Stock, Stock]] = []

    def changed() -> Stock:
        now = stock()
        if not held or held[0][0] is not now:
            held[:] = [(now, Stock(now.library, now.recall.with_rules(config)))]
        return held[0][1]

    return changed
