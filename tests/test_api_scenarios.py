"""Scenarios and experiments: what they change, and who is dealt to which arm."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from api.scenario_config import PRESETS, ExperimentConfig, RulesConfig, ScenarioConfig, check_experiments
from api.scenarios import deal, under
from recall.errors import ConfigError
from recall.types import Filters
from rerank.config import RankConfig
from rerank.llm import LLMConfig
from rerank.types import Request
from tests.doors import doors
from tests.openai_server import openai_server

USER = {"platform": "cinema", "user": "u7"}


def scenarios(**more: dict[str, Any]) -> dict[str, ScenarioConfig]:
    return {name: ScenarioConfig.model_validate(values) for name, values in more.items()}


def experiment(**more: Any) -> ExperimentConfig:
    arms = {"control": {"share": 3}, "bold": {"share": 1, "rank": {"weight": 1.0}}}
    return ExperimentConfig.model_validate({"arms": arms, **more})


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_whole_scenario_and_single_keys_override_it(preset: str) -> None:
    plain = ScenarioConfig.model_validate({"preset": preset})
    assert plain.k is not None and plain.rank["domain"]
    mine = ScenarioConfig.model_validate({"preset": preset, "k": 3, "rank": {"deadline": 9.0}})
    assert (mine.k, mine.rank["deadline"], mine.rank["domain"]) == (3, 9.0, plain.rank["domain"])
    RankConfig.model_validate(mine.rank)


def test_a_misspelt_key_is_found_when_the_configuration_is_read() -> None:
    with pytest.raises(ValidationError, match="metod"):
        ScenarioConfig.model_validate({"rank": {"metod": "listwise"}})


def test_persons_are_dealt_by_their_shares_always_to_the_same_arm() -> None:
    people = [f"p{n}" for n in range(4000)]
    dealt = [deal("e", experiment(), person) for person in people]
    assert dealt == [deal("e", experiment(), person) for person in people]
    counts = Counter(arm for arm, _ in dealt)
    assert 0.72 < counts["control"] / 4000 < 0.78
    assert dict(dealt) == {"control": 0.75, "bold": 0.25}
    salted = [deal("e", experiment(salt="2"), person)[0] for person in people]
    moved = sum(one != other for (one, _), other in zip(dealt, salted, strict=True))
    assert 0.3 < moved / 4000 < 0.45  # 2 x .75 x .25


def test_a_scenario_s_rules_and_a_request_s_filters_hold_together() -> None:
    config = ScenarioConfig(
        rules=RulesConfig(categories_in=("Drama", "Comedy"), categories_out=("War",), price_max=10.0)
    )
    asked = Filters(categories_in=frozenset({"Comedy", "Horror"}), price_max=20.0, exclude=frozenset({"x"}))
    found = under(config, Request(None, filters=asked)).filters
    assert (found.categories_in, found.categories_out) == ({"Comedy"}, {"War"})
    assert (found.price_max, found.exclude) == (10.0, {"x"})
    nothing = under(config, Request(None, filters=Filters(categories_in=frozenset({"Horror"})))).filters
    assert nothing.categories_in.isdisjoint({"Drama", "Comedy", "Horror"}) and nothing.categories_in


def test_an_experiment_on_nothing_or_a_second_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="no scenario 'x'"):
        check_experiments({}, {"e": experiment(scenario="x")})
    with pytest.raises(ConfigError, match="two of them"):
        check_experiments({}, {"e": experiment(), "f": experiment()})


async def test_a_scenario_decides_what_the_request_leaves_open(whole: Path, tmp_path: Path) -> None:
    mine = scenarios(
        evening={"platform": "shop", "k": 4, "mode": "recall", "rules": {"categories_in": ["Drama"]}},
        varied={"mode": "recall", "recall": {"max_per_category": 1}},
    )
    async with doors(whole, tmp_path, scenarios=mine) as door:

        async def ask(**body: Any) -> dict[str, Any]:
            answer = await door.post("/v1/recommendations", json={"user": USER, **body})
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        evening = await ask(scenario="evening")
        assert (evening["platform"], evening["scenario"], len(evening["items"])) == ("shop", "evening", 4)
        assert all("Drama" in item["categories"] for item in evening["items"])
        assert len((await ask(scenario="evening", k=2))["items"]) == 2
        varied = await ask(scenario="varied", k=10)
        assert max(Counter(c for item in varied["items"] for c in item["categories"]).values()) == 1
        path = "/v1/users/cinema/u7/recommendations?scenario=evening"
        assert (await door.get(path)).json()["scenario"] == "evening"
        unknown = await door.post("/v1/recommendations", json={"user": USER, "scenario": "no"})
        assert unknown.status_code == 404 and "evening, varied" in unknown.json()["detail"]


async def test_the_arm_changes_the_answer_and_is_told_and_journaled(whole: Path, tmp_path: Path) -> None:
    arms = {"control": {"rank": {"method": "keep-order"}}, "bold": {"rank": {"weight": 1.0}}}
    running = {"e": ExperimentConfig.model_validate({"arms": arms})}
    with openai_server() as server:
        llm = LLMConfig(engine="openai", base_url=server.url)
        async with doors(whole, tmp_path, llm=llm, experiments=running) as door:
            seen: dict[str, dict[str, Any]] = {}
            for n in range(12):
                body = {"user": {"platform": "cinema", "user": f"u{n}"}, "k": 3, "mode": "rank"}
                answer = (await door.post("/v1/recommendations", json=body)).json()
                assert answer["experiment"] == "e"
                seen[answer["arm"]] = answer
            assert set(seen) == {"control", "bold"}
            assert seen["bold"]["provenance"]["rerank_status"] == "full"
            assert seen["control"]["provenance"]["cause"] == "keep_order"
            served = (await door.get(f"/v1/recommendations/{seen['bold']['id']}")).json()
            assert (served["experiment"], served["arm"], served["propensity"]) == ("e", "bold", 0.5)
            chosen = {"user": USER, "k": 3, "mode": "rank", "arm": "control"}
            forced = (await door.post("/v1/recommendations", json=chosen)).json()
            assert (forced["experiment"], forced["arm"]) == (None, "control")
            nobody = (await door.post("/v1/recommendations", json={"history": [], "k": 1})).json()
            assert (nobody["experiment"], nobody["arm"]) == (None, None)
            wrong = await door.post("/v1/recommendations", json={"user": USER, "arm": "no"})
            assert wrong.status_code == 404 and "control, bold" in wrong.json()["detail"]
