from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluated import answering, declared, go, oracle, settings
from whole import whyrec

from api.migrations import upgrade
from api.settings import load_settings
from evals.ab import judge, load_answers
from evals.gate import Baseline, gate
from evals.promote import promote
from evals.results import Results
from recall.errors import ConfigError, DataError, ModelError, NotFound
from recall.store import open_store
from rerank.journal import METADATA
from rerank.journal.tables import FEEDBACK, SERVED
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.types import Cause

LARGE = {"split": "last", "people": 40, "candidates": 14}


async def _results(whole: Path, folder: Path, model: ScriptedModel, **fields: Any) -> Results:
    ended, _, _ = await go(settings(whole, folder), declared(cases=LARGE, **fields), model)
    return Results.load(ended.folder)


async def test_the_gate_passes_the_same_and_stops_a_worse_one(whole: Path, tmp_path: Path) -> None:
    good = await _results(whole, tmp_path / "good", oracle())
    file = tmp_path / "baseline.json"
    Baseline.of(good).save(file)
    assert [one.why for one in gate(good, Baseline.load(file))] == [None]
    backwards = ScriptedModel(answering(lambda lines, t: sorted(lines, key=lambda one: lines[one] == t)))
    bad = await _results(whole, tmp_path / "bad", backwards)
    (verdict,) = gate(bad, Baseline.load(file))
    assert verdict.why is not None and "significantly worse" in verdict.why
    assert "person" not in file.read_text()


async def test_the_gate_stops_a_run_whose_calls_fail(whole: Path, tmp_path: Path) -> None:
    good = await _results(whole, tmp_path / "good", oracle())

    def fail(asked: Asked) -> str:
        raise ModelError("no", Cause.CONNECTION)

    dead = await _results(whole, tmp_path / "dead", ScriptedModel(fail))
    (verdict,) = gate(dead, Baseline.of(good))
    assert verdict.why is not None and "100% of its calls failed" in verdict.why


async def test_the_gate_refuses_other_cases(whole: Path, tmp_path: Path) -> None:
    good = await _results(whole, tmp_path / "good", oracle())
    other = Baseline.of(good).model_copy(update={"pool": "another"})
    with pytest.raises(ConfigError, match="another"):
        gate(good, other)


async def test_an_arm_above_recall_becomes_the_default(whole: Path, tmp_path: Path) -> None:
    arm = {"name": "model", "weight": 0.9, "rank": {"summary_tokens": 333}}
    results = await _results(whole, tmp_path, oracle(), arms=[arm])
    config = tmp_path / whole.name
    made = promote(results, "model", load_settings(config).workspace)
    assert made.low > 0 and made.forced is None
    rank = load_settings(config).rank
    assert (rank.weight, rank.summary_tokens, rank.method) == (0.9, 333, "listwise")
    with config.open("a") as file:
        file.write("[rank]\nweight = 0.2\n")
    assert (load_settings(config).rank.weight, load_settings(config).rank.summary_tokens) == (0.2, 333)


async def test_an_arm_that_has_not_earned_it_needs_a_reason(whole: Path, tmp_path: Path) -> None:
    keeps = ScriptedModel(answering(lambda lines, target: list(lines)))
    await _results(whole, tmp_path, keeps)
    config = tmp_path / whole.name
    refused = whyrec("eval", "promote", "test", "model", "--config", config)
    assert refused.exit_code == 1 and "not above 0" in refused.stderr
    silent = whyrec("eval", "promote", "test", "model", "--force", "--config", config)
    assert silent.exit_code == 1 and "--reason" in silent.stderr
    why = ("--force", "--reason", "to try it")
    done = whyrec("eval", "promote", "test", "model", *why, "--config", config, "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["forced"] == "to try it"


async def test_what_no_service_does_is_not_promoted(whole: Path, tmp_path: Path) -> None:
    results = await _results(
        whole,
        tmp_path,
        oracle(),
        arms=[{"name": "model", "shuffle": True}, {"name": "facts", "knowledge": {"facts_in_prompts": 2}}],
    )
    with pytest.raises(ConfigError, match="shuffles"):
        promote(results, "model", tmp_path)
    with pytest.raises(NotFound, match="no arm 'recall' of a model"):
        promote(results, "recall", tmp_path)
    with pytest.raises(ConfigError, match="are promoted"):
        promote(results, "facts", tmp_path / "elsewhere", forced="a test")


Row = tuple[str, str | None, str, float, Sequence[tuple[str, str, float | None]]]


async def _served(folder: Path, rows: Sequence[Row]) -> Any:
    """`judge` over (id, person, arm, propensity, feedback as (item, kind, value)) in a real store."""
    async with open_store(f"sqlite:///{folder / 'store.db'}") as store:
        await upgrade(store)
        assert {"served", "feedback"} <= set(METADATA.tables)
        async with store.write() as connection:
            for id, person, arm, propensity, feedback in rows:
                head = {"id": id, "time": 1, "person": person, "platform": "shop", "scenario": "home"}
                rest = {"experiment": "x", "arm": arm, "propensity": propensity}
                await connection.execute(
                    SERVED.insert().values(**head, **rest, request="{}", provenance="{}")
                )
                for number, (item, kind, value) in enumerate(feedback):
                    one = {"id": f"{id}-{number}", "served": id, "item": item, "kind": kind}
                    await connection.execute(FEEDBACK.insert().values(**one, value=value, time=2))
        return judge(await load_answers(store, experiment="x", scenario="home"), control="plain")


async def test_served_feedback_by_arm_counts_items_once(tmp_path: Path) -> None:
    twice = [
        ("i1", "clicked", None),
        ("i1", "accepted", None),
        ("i1", "accepted", None),
        ("i2", "rejected", None),
    ]
    rated = [("i1", "rated", 4.0), ("i2", "rated", 2.0)]
    rows: list[Row] = [
        ("a", "p1", "plain", 0.5, twice),
        ("b", "p1", "plain", 0.5, []),
        ("c", "p2", "warm", 0.5, rated),
        ("d", None, "warm", 0.5, [("i3", "accepted", None)]),
    ]
    found = await _served(tmp_path, rows)
    plain, warm = found.arms
    assert (plain.people, plain.answers, warm.people) == (1, 2, 2)
    assert plain.conversion.value.mean == 0.5 and plain.clicks.value.mean == 0.5
    assert plain.acceptance.value.mean == 0.5 and np.isnan(plain.satisfaction.value.mean)
    assert warm.conversion.value.mean == 0.5 and warm.satisfaction.value.mean == 3.0
    assert plain.conversion.difference is None


async def test_a_better_arm_shows_and_a_skewed_deal_is_suspicious(tmp_path: Path) -> None:
    accepted = [("i", "accepted", None)]
    rows: list[Row] = [(f"a{n}", f"p{n}", "plain", 0.5, accepted if n % 10 == 0 else []) for n in range(200)]
    rows += [(f"b{n}", f"q{n}", "warm", 0.5, accepted if n % 2 else []) for n in range(200)]
    found = await _served(tmp_path, rows)
    warm = found.arms[1]
    assert not found.suspicious and warm.conversion.difference.low > 0.25
    assert warm.conversion.difference.mean == pytest.approx(0.4)
    assert 0.05 < warm.detectable < 0.2
    (tmp_path / "skew").mkdir()
    skewed = await _served(tmp_path / "skew", rows[:200] + rows[200:290])
    assert skewed.suspicious and skewed.ratio_p < 0.001


async def test_without_served_arms_there_is_nothing_to_judge(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no answer of an experiment's arm"):
        await _served(tmp_path, [])


async def test_a_promotion_needs_people(whole: Path, tmp_path: Path) -> None:
    def fail(asked: Asked) -> str:
        raise ModelError("no", Cause.CONNECTION)

    results = await _results(whole, tmp_path, ScriptedModel(fail))
    with pytest.raises(DataError, match="nobody was answered"):
        promote(results, "model", tmp_path)
