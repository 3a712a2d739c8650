"""Between the service's wire models and the pipeline's nouns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from api.schemas import FilterBody, ListingAnswer, RecommendationAnswer, RecommendationQuery
from api.schemas.items import ItemFacts
from recall.types import Filters, Item
from rerank.types import RankedItem, Reason, Recommendation


def filters_of(given: FilterBody | RecommendationQuery | None) -> Filters:
    """What the pipeline may propose."""
    if given is None:
        return Filters()
    return Filters(
        categories_in=frozenset(given.categories_in or ()),
        categories_out=frozenset(given.categories_out or ()),
        languages=frozenset(given.languages or ()),
        price_max=given.price_max,
        max_age_rating=given.max_age_rating,
        exclude=frozenset(given.exclude or ()),
        repeats=given.repeats,
    )


def answer_of(recommendation: Recommendation, **told: str | None) -> RecommendationAnswer:
    """The answer for those who use it as an object; `told` as for document_of."""
    return RecommendationAnswer.model_validate(document_of(recommendation, **told))


def json_of(document: Any) -> bytes:
    """As Pydantic writes the models: what is no number becomes null."""
    return to_json(document, inf_nan_mode="null")


def document_of(
    recommendation: Recommendation,
    *,
    scenario: str | None = None,
    experiment: str | None = None,
    arm: str | None = None,
) -> dict[str, Any]:
    """The fields of RecommendationAnswer, made by us and so not validated again (that would cost more than
    making them). Histories and model calls stay inside."""
    request, how = recommendation.request, recommendation.provenance
    return {
        "id": recommendation.id,
        "person": request.person,
        "platform": request.platform,
        "wish": request.wish,
        "scenario": scenario,
        "experiment": experiment,
        "arm": arm,
        "items": [item_of(item) for item in recommendation.items],
        "provenance": {
            "rerank_status": str(how.rerank_status),
            "cause": how.cause and str(how.cause),
            "reasons_status": str(how.reasons_status),
            "reasons_cause": how.reasons_cause and str(how.reasons_cause),
            "model": how.model,
            "method": how.method,
            "prompt": how.prompt,
            "prompt_hash": how.prompt_hash,
            "artefact": how.artefact,
            "weight": how.weight,
            "weight_source": how.weight_source,
            "weight_segment": how.weight_segment,
            "usage": {
                "prompt": how.usage.prompt,
                "completion": how.usage.completion,
                "cached": how.usage.cached,
            },
            "calls": how.calls,
            "cache_hits": how.cache_hits,
            "milliseconds": {stage: round(spent, 2) for stage, spent in how.milliseconds.items()},
            "repairs": dict(how.repairs),
            "removed": dict(how.removed),
            "reasons": dict(how.reasons),
            "knowledge": dict(how.knowledge),
        },
    }


def item_facts(item: Item) -> ItemFacts:
    """An item as /v1/items shows it."""
    return ItemFacts(
        item=item.id,
        title=plain(item.title),
        year=item.year,
        creators=[plain(name) for name in item.creators],
        categories=[plain(name) for name in item.categories],
        description=item.description and plain(item.description),
        language=item.language and plain(item.language),
        min_age=item.min_age,
        listings=[ListingAnswer.model_validate(each) for each in _listings(item)],
    )


def item_of(ranked: RankedItem) -> dict[str, Any]:
    item = ranked.item
    return {
        "rank": ranked.rank,
        "item": item.id,
        "title": plain(item.title),
        "year": item.year,
        "categories": [plain(category) for category in item.categories],
        "listings": _listings(item),
        "score": ranked.score,
        "recall_rank": ranked.candidate.rank + 1,
        "model_rank": ranked.model_rank,
        "place": ranked.place,
        "sources": dict(ranked.candidate.sources),
        "reason": ranked.reason and reason_of(ranked.reason),
    }


def _listings(item: Item) -> list[dict[str, Any]]:
    return [
        {
            "platform": listing.platform,
            "listing": listing.listing,
            "title": plain(listing.title),
            "price": listing.price,
            "url": listing.url,
            "image": listing.image,
        }
        for listing in item.listings
    ]


def reason_of(reason: Reason) -> dict[str, Any]:
    return {
        "text": plain(reason.text),
        "author": reason.author,
        "checked": reason.checked,
        "withheld": reason.withheld,
        "evidence": [
            {
                "kind": evidence.kind,
                "label": evidence.label,
                "text": plain(evidence.text),
                "event": evidence.event,
                "item": evidence.item,
                "platform": evidence.platform,
                "time": evidence.time,
                "type": evidence.type,
                "value": evidence.value,
                "polarity": evidence.polarity,
                "source": evidence.source,
            }
            for evidence in reason.evidence
        ],
    }


def reason_of_row(reason: Mapping[str, Any], evidence: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A reason as the journal holds it."""
    return {
        **{name: reason[name] for name in ("author", "checked", "withheld")},
        "text": plain(reason["text"]),
        "evidence": [{**each, "text": plain(each["text"])} for each in evidence],
    }


def plain(text: str) -> str:
    """JSON in UTF-8 can't carry lone surrogates, which a model's reply may hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
