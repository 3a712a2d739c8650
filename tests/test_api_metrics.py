"""What /metrics tells of one recommendation, figure by figure."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from api.metrics import Metrics
from rerank.llm.prices import Price
from rerank.types import Call, Cause, Ranking, Usage
from tests.test_rerank_journal import answer

ARTEFACT = "20261124T120000-1"


def figures(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """(name, label values …) → value."""

    async def read() -> str:  # it counts the loop's tasks
        return metrics.text(ARTEFACT, {"m": True, "other": False}).decode()

    families = text_string_to_metric_families(asyncio.run(read()))
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def call(**more: object) -> Call:
    plain = Call("rank", (), "{}", "m", Usage(1000, 100, 200), 0.1)
    return replace(plain, **more)  # type: ignore[arg-type]


def test_calls_tokens_and_money_are_counted_by_model_and_a_cached_answer_costs_nothing() -> None:
    metrics = Metrics({"m": Price(prompt=2.0, completion=10.0, cached=1.0)})
    calls = (call(), call(cached=True), call(error=Cause.DEADLINE, reply=None, usage=Usage()))
    metrics.observe(replace(answer(), calls=calls))
    found = figures(metrics)
    assert found["whyrec_model_calls_total", "m", "answered"] == 1
    assert found["whyrec_model_calls_total", "m", "cached"] == 1
    assert found["whyrec_model_calls_total", "m", "deadline"] == 1
    assert found["whyrec_model_tokens_total", "prompt", "m"] == 1000
    assert found["whyrec_model_tokens_total", "completion", "m"] == 100
    assert abs(found["whyrec_model_money_total", "m"] - (800 * 2 + 200 * 1 + 100 * 10) / 1e6) < 1e-12


def test_candidates_repairs_checks_and_rules_are_counted() -> None:
    metrics = Metrics()
    made = answer()
    how = replace(
        made.provenance,
        repairs={"filled": 2},
        reasons={"written": 3, "checked": 1, "withheld:number": 2, "template": 2},
    )
    ranking = Ranking(tuple(range(40)), ("recall",) * 40)
    metrics.observe(replace(made, provenance=how, ranking=ranking))
    found = figures(metrics)
    assert (found["whyrec_candidates_count",], found["whyrec_candidates_sum",]) == (1, 40)
    assert found["whyrec_returned_items_sum",] == 2
    assert found["whyrec_repairs_total", "filled"] == 2
    assert found["whyrec_reason_checks_total", "withheld:number"] == 2
    assert found["whyrec_removed_candidates_total", "had"] == 3
    assert found["whyrec_rerank_total", "", "full"] == 1
    assert found["whyrec_stage_seconds_count", "total"] == 1


def test_the_artefacts_age_and_the_breakers_are_told() -> None:
    found = figures(Metrics())
    assert found["whyrec_artefact_trained_timestamp_seconds",] == 1795521600
    assert found["whyrec_breaker_open", "m"] == 1
    assert found["whyrec_breaker_open", "other"] == 0
