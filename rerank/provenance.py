"""How an answer came about, in numbers and causes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from prompts import Prompt
from rerank.ground import Ground
from rerank.reasons import Written
from rerank.types import Call, Cause, Provenance, Ranking, Reason, Status, Usage
from rerank.weights import Weighed


@dataclass(slots=True)
class ReasonsAccount:
    """What became of the reasons of one answer. `cause`: why a model wrote none, or not all."""

    cause: Cause | None = None
    calls: list[Call] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=lambda: Counter(written=0, checked=0, template=0))

    def wrote(self, written: Written) -> None:
        """The outcome of one call; the first cause of a failure stays."""
        self.calls += [written.call] if written.call else []
        self.cause = self.cause or written.cause
        self.counts["written"] += len(written.drafts)

    def settled(self, reason: Reason) -> None:
        self.counts["checked" if reason.author == "llm" else "template"] += 1
        if reason.withheld:
            self.counts[f"withheld:{reason.withheld}"] += 1

    def close(self) -> None:
        if self.counts["written"] and not self.counts["checked"]:
            self.cause = self.cause or Cause.WITHHELD


def provenance_of(
    ground: Ground,
    ranking: Ranking,
    reasons: ReasonsAccount,
    weighed: Weighed,
    *,
    sent: int,
    returned: int,
    method: str,
    model: str | None,
    prompt: Prompt | None,
    milliseconds: Mapping[str, float],
    knowledge: Mapping[str, int],
) -> Provenance:
    """`sent` candidates were to be ranked, `returned` ones to be explained; `model` as configured."""
    every = (*ranking.calls, *reasons.calls)
    named = sum(place == "model" for place in ranking.places)
    unasked = ranking.cause in (Cause.KEEP_ORDER, Cause.NO_MODEL)
    return Provenance(
        rerank_status=_status(named, sent, ranking.cause),
        cause=ranking.cause,
        reasons_status=_status(reasons.counts["checked"], returned, reasons.cause),
        reasons_cause=reasons.cause,
        model=next((call.model for call in every if call.reply is not None), None) or model,
        method="keep-order" if unasked else method,
        prompt=prompt.id if prompt else None,
        prompt_hash=prompt.hash if prompt else None,
        artefact=ground.found.artefact,
        weight=weighed[0],
        weight_source=weighed[1],
        usage=sum((call.usage for call in every), Usage()),
        calls=len(every),
        cache_hits=sum(call.cached for call in every),
        milliseconds=milliseconds,
        repairs=dict(ranking.repairs),
        removed=dict(ground.found.removed),
        reasons=dict(reasons.counts),
        weight_segment=weighed[2],
        knowledge=knowledge,
    )


def _status(done: int, of: int, cause: Cause | None) -> Status:
    if done == 0:
        return Status.SKIPPED
    return Status.FULL if done >= of and cause is None else Status.PARTIAL
