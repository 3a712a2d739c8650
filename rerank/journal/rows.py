"""Between recommendations and the journal's rows. JSON in ASCII: any text that a model wrote can be kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from recall.types import Filters
from rerank.types import Evidence, Provenance, RankedItem, Recommendation, Request, Usage

Row = dict[str, Any]
_TOLD, _USED, _FILTERS, _EVIDENCE = (
    tuple(field.name for field in fields(kind)) for kind in (Provenance, Usage, Filters, Evidence)
)
_SAID = ("text", "author", "checked", "withheld")
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


def served_row(recommendation: Recommendation) -> Row:
    """The answer's row, without what only the caller knows (time, arm …)."""
    request = recommendation.request
    return {
        "id": recommendation.id,
        "person": _plain(request.person),
        "platform": _plain(request.platform),
        "request": _dump(_request(request)),
        "provenance": _dump(_provenance(recommendation.provenance)),
        "items": _dump([_item(ranked) for ranked in recommendation.items]),
    }


def feedback_row(feedback: Feedback) -> Row:
    return {key: _plain(value) for key, value in asdict(feedback).items()}


def items_of(row: Any) -> list[str]:
    """Ids of the items that an answer's row held, best first."""
    return [place["item"] for place in json.loads(row.items)]


def read_served(head: Any, feedback: Sequence[Any]) -> Served:
    """From an answer's row and those of its feedback, in their order."""
    return Served(
        **_columns(head, "id", "time", "person", "platform", "scenario", "experiment", "arm", "propensity"),
        request=json.loads(head.request),
        provenance=json.loads(head.provenance),
        items=tuple(
            ServedItem(**{**place, "evidence": tuple(place["evidence"])}) for place in json.loads(head.items)
        ),
        feedback=tuple(read_feedback(row) for row in feedback),
    )


def read_feedback(row: Any) -> Feedback:
    return Feedback(**_columns(row, "id", "served", "item", "kind", "time", "value", "why"))


def _request(request: Request) -> Row:
    filters = {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in _fields(request.filters, _FILTERS).items()
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


def _provenance(how: Provenance) -> Row:
    return _fields(how, _TOLD) | {"usage": _fields(how.usage, _USED)}


def _item(ranked: RankedItem) -> Row:
    """The fields of ServedItem."""
    reason, candidate = ranked.reason, ranked.candidate
    return {
        "rank": ranked.rank,
        "item": ranked.item.id,
        "score": float(ranked.score),
        "recall_rank": candidate.rank + 1,
        "model_rank": ranked.model_rank,
        "place": ranked.place,
        "sources": {name: float(score) for name, score in candidate.sources.items()},
        "reason": reason and _fields(reason, _SAID),
        "evidence": [_fields(each, _EVIDENCE) for each in reason.evidence] if reason else [],
    }


def _columns(row: Any, *names: str) -> Row:
    return _fields(row, names)


def _fields(value: Any, names: Sequence[str]) -> Row:
    """As dataclasses.asdict for plain fields, without its deep copies."""
    return {name: getattr(value, name) for name in names}


_dump = json.JSONEncoder(separators=(",", ":")).encode


def _plain(value: Any) -> Any:
    """Text that every database takes: PostgreSQL refuses NUL, and UTF-8 has no lone surrogates."""
    if not isinstance(value, str):
        return value
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
