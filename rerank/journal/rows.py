"""Between recommendations and the journal's rows. JSON in ASCII: any text that a model wrote can be kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rerank.types import Evidence, RankedItem, Recommendation, Request

Row = dict[str, Any]
Kind = Literal["seen", "clicked", "accepted", "rejected", "rated"]


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person did with one item of an answer; `value` is the rating of a 'rated' one."""

    id: str
    """The caller's own: the same id is the same feedback."""
    served: str
    item: str
    kind: Kind
    time: int
    """UTC seconds."""
    value: float | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class ServedItem:
    """One place of an answer as it went out; ranks count from 1."""

    rank: int
    item: str
    score: float
    recall_rank: int
    model_rank: int | None
    place: str
    sources: Mapping[str, float]
    reason: Mapping[str, Any] | None
    """text, author, checked, withheld."""
    evidence: tuple[Mapping[str, Any], ...]
    """The fields of rerank.types.Evidence."""


@dataclass(frozen=True, slots=True)
class Served:
    """One answer that went out, and what came back on it."""

    id: str
    time: int
    person: str | None
    platform: str | None
    scenario: str | None
    experiment: str | None
    arm: str | None
    propensity: float
    request: Mapping[str, Any]
    provenance: Mapping[str, Any]
    items: tuple[ServedItem, ...]
    feedback: tuple[Feedback, ...]


def served_rows(recommendation: Recommendation) -> tuple[Row, list[Row]]:
    """The answer's row, without what only the caller knows (time, arm …), and one row for each item."""
    request, id = recommendation.request, recommendation.id
    head = {
        "id": id,
        "person": _plain(request.person),
        "platform": _plain(request.platform),
        "request": _dump(_request(request)),
        "provenance": _dump(asdict(recommendation.provenance)),
    }
    return head, [_item(id, ranked) for ranked in recommendation.items]


def feedback_row(feedback: Feedback) -> Row:
    return {key: _plain(value) for key, value in asdict(feedback).items()}


def read_served(head: Any, items: Sequence[Any], feedback: Sequence[Any]) -> Served:
    """From rows of the three tables, items and feedback in their order."""
    return Served(
        **_columns(head, "id", "time", "person", "platform", "scenario", "experiment", "arm", "propensity"),
        request=json.loads(head.request),
        provenance=json.loads(head.provenance),
        items=tuple(
            ServedItem(
                **_columns(row, "rank", "item", "score", "recall_rank", "model_rank", "place"),
                sources=json.loads(row.sources),
                reason=json.loads(row.reason) if row.reason else None,
                evidence=tuple(json.loads(row.evidence)),
            )
            for row in items
        ),
        feedback=tuple(read_feedback(row) for row in feedback),
    )


def read_feedback(row: Any) -> Feedback:
    return Feedback(**_columns(row, "id", "served", "item", "kind", "time", "value", "why"))


def _request(request: Request) -> Row:
    filters = {
        key: sorted(value) if isinstance(value, frozenset) else value
        for key, value in asdict(request.filters).items()
    }
    return {
        "k": request.k,
        "n": request.n,
        "depth": request.depth,
        "wish": request.wish,
        "as_of": request.as_of,
        "mode": request.mode,
        "language": request.language,
        "prompt": request.prompt,
        "filters": filters,
        "history_given": request.history is not None,
        "candidates_given": request.candidates is not None,
    }


def _item(served: str, ranked: RankedItem) -> Row:
    reason = ranked.reason
    evidence: tuple[Evidence, ...] = reason.evidence if reason else ()
    said = reason and {key: getattr(reason, key) for key in ("text", "author", "checked", "withheld")}
    return {
        "served": served,
        "rank": ranked.rank,
        "item": ranked.item.id,
        "score": float(ranked.score),
        "recall_rank": ranked.candidate.rank + 1,
        "model_rank": ranked.model_rank,
        "place": ranked.place,
        "sources": _dump({name: float(score) for name, score in ranked.candidate.sources.items()}),
        "reason": _dump(said) if said else None,
        "evidence": _dump([asdict(each) for each in evidence]),
    }


def _columns(row: Any, *names: str) -> Row:
    return {name: getattr(row, name) for name in names}


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """Text that every database takes: PostgreSQL refuses NUL, and UTF-8 has no lone surrogates."""
    if not isinstance(value, str):
        return value
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
