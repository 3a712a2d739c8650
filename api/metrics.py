"""What Prometheus may read: requests, stages, rerank outcomes, tokens, checks of reasons, the artefact's age.

With several workers each one writes into files of a shared folder (PROMETHEUS_MULTIPROC_DIR, which `whyrec
serve` sets), and whichever worker answers `/metrics` adds them up. Labels hold route templates, codes and
names of models, never ids, titles or anything that a caller made up.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import Scope

from api.watched import route_of
from rerank.llm.prices import Price
from rerank.types import Recommendation

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_COUNTS = (0, 1, 10, 50, 100, 200, 300)


class Metrics:
    """The service's measurements. Safe for one event loop and its threads."""

    def __init__(self, prices: Mapping[str, Price] | None = None) -> None:
        """`prices` by model: without a model's, its calls cost nothing here."""
        self._prices = prices or {}
        own = self._own = CollectorRegistry()

        def counter(name: str, help: str, *labels: str) -> Counter:
            return Counter(f"whyrec_{name}", help, labels, registry=own)

        self.requests = counter("requests", "Requests answered.", "method", "route", "status")
        self.request_seconds = Histogram(
            "whyrec_request_seconds",
            "Until the last byte of an answer.",
            ["route"],
            registry=own,
            buckets=_SECONDS,
        )
        self.stage_seconds = Histogram(
            "whyrec_stage_seconds", "Stages of a recommendation.", ["stage"], registry=own, buckets=_SECONDS
        )
        self.candidates = Histogram(
            "whyrec_candidates", "Candidates put in order for an answer.", registry=own, buckets=_COUNTS
        )
        self.returned = Histogram(
            "whyrec_returned_items", "Items of an answer.", registry=own, buckets=_COUNTS
        )
        self.removed = counter("removed_candidates", "Items that rules removed before ranking.", "rule")
        self.rerank = counter("rerank", "Orders by outcome.", "status", "cause")
        self.reasons = counter("reasons", "Lists of reasons by outcome.", "status", "cause")
        self.reason_checks = counter("reason_checks", "Reasons by outcome or code of failure.", "outcome")
        self.tokens = counter("model_tokens", "Tokens of language models.", "model", "kind")
        self.calls = counter("model_calls", "Calls of language models.", "model", "outcome")
        self.money = counter("model_money", "What models cost, by [budget] prices, in their unit.", "model")
        self.repairs = counter("repairs", "Damage mended in replies.", "kind")
        self.age = Gauge(
            "whyrec_artefact_trained_timestamp_seconds",
            "When the artefact that answers was trained (UTC).",
            registry=own,
            multiprocess_mode="mostrecent",
        )
        self.tasks = Gauge(
            "whyrec_tasks", "Tasks on the event loop.", registry=own, multiprocess_mode="livesum"
        )
        self.breaker = Gauge(
            "whyrec_breaker_open",
            "1 while an endpoint is left alone after failures.",
            ["model"],
            registry=own,
            multiprocess_mode="livemax",
        )
        ProcessCollector(registry=own)  # memory, open files; of the answering process alone

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one answer of any route; streams are timed to their end."""
        route = route_of(scope)
        self.requests.labels(scope["method"][:10], route, str(status)).inc()
        self.request_seconds.labels(route).observe(seconds)

    def observe(self, answer: Recommendation) -> None:
        """Count one recommendation."""
        told = answer.provenance
        for stage, milliseconds in told.milliseconds.items():
            self.stage_seconds.labels(stage).observe(milliseconds / 1000)
        if answer.ranking is not None:
            self.candidates.observe(len(answer.ranking.order))
        self.returned.observe(len(answer.items))
        self.rerank.labels(told.rerank_status, told.cause or "").inc()
        self.reasons.labels(told.reasons_status, told.reasons_cause or "").inc()
        for rule, count in told.removed.items():
            self.removed.labels(rule).inc(count)
        for kind, count in told.repairs.items():
            self.repairs.labels(kind).inc(count)
        for outcome, count in told.reasons.items():
            self.reason_checks.labels(outcome).inc(count)
        for call in answer.calls:
            outcome = "cached" if call.cached else call.error or "answered"
            self.calls.labels(call.model, outcome).inc()
            if not call.cached:
                self.tokens.labels(call.model, "prompt").inc(call.usage.prompt)
                self.tokens.labels(call.model, "cached").inc(call.usage.cached)
                self.tokens.labels(call.model, "completion").inc(call.usage.completion)
                if (price := self._prices.get(call.model)) is not None:
                    self.money.labels(call.model).inc(price.of(call.usage))

    def text(self, artefact: str, breakers: Mapping[str, bool]) -> bytes:
        """What `/metrics` answers: this process's figures, or those of all workers. Call it on the loop."""
        trained = datetime.strptime(artefact[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        self.age.set(trained.timestamp())
        self.tasks.set(len(asyncio.all_tasks()))
        for name, state in breakers.items():
            self.breaker.labels(name).set(state)
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return bytes(generate_latest(self._own))
        every = CollectorRegistry()
        MultiProcessCollector(every)
        return bytes(generate_latest(every))
