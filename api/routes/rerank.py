"""/rerank for whoever expects a reranker: the pipeline over the caller's documents, the query as the wish."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

from fastapi import APIRouter
from starlette.requests import Request as HTTPRequest
from starlette.responses import Response

from api.problems import responses
from api.requests import while_connected
from api.schemas.rerank import RerankAnswer, RerankBody, RerankMeta, RerankResult, RerankUsage
from api.service import Opened, Service
from recall.protocols import Library, Recall, Stock
from recall.types import Candidate, History, Item
from rerank.types import Recommendation, Request

router = APIRouter(tags=["rerank"])

DOCUMENT_CHARS = 2_000
"""Of each document that the model sees."""


class _Documents:
    """The caller's documents in the place of a library and of recall."""

    artefact = "documents"

    def __init__(self, texts: Sequence[str]) -> None:
        self._items = {str(place): Item(str(place), text) for place, text in enumerate(texts)}

    def items(self, ids: Sequence[str]) -> list[Item]:
        return [self._items[id] for id in ids]


@router.post(
    "/rerank", response_model=RerankAnswer, responses=responses(413, 422, 500, 503), summary="Jina, vLLM"
)
@router.post(
    "/v1/rerank",
    response_model=RerankAnswer,
    responses=responses(413, 422, 500, 503),
    summary="Cohere 1, Jina",
)
async def rerank(body: RerankBody, request: HTTPRequest, service: Opened) -> Response:
    """Documents by their relevance for a query. A model that does not answer leaves them as they came, and
    `meta` says so."""
    return await _answered(body, request, service, texts=body.return_documents is not False)


@router.post(
    "/v2/rerank", response_model=RerankAnswer, responses=responses(413, 422, 500, 503), summary="Cohere 2"
)
async def rerank_2(body: RerankBody, request: HTTPRequest, service: Opened) -> Response:
    """As /v1/rerank, without the documents' texts unless they are asked for."""
    return await _answered(body, request, service, texts=body.return_documents is True)


async def _answered(body: RerankBody, request: HTTPRequest, service: Service, *, texts: bool) -> Response:
    documents = [one if isinstance(one, str) else one.text for one in body.documents]
    key = request.state.key
    spent = await service.allowance.spent(key)
    found = await while_connected(request, _ranked(service, body.query, documents, spent=spent))
    service.metrics.observe(found)
    await service.allowance.add(key, found.provenance.usage.prompt + found.provenance.usage.completion)
    scores = _scores(found)
    how = found.provenance
    answer = RerankAnswer(
        id=found.id,
        model=how.model or "none",
        usage=RerankUsage(
            prompt_tokens=how.usage.prompt, total_tokens=how.usage.prompt + how.usage.completion
        ),
        results=[
            RerankResult.model_validate(
                {
                    "index": int(item.item.id),
                    "relevance_score": score,
                    "document": {"text": documents[int(item.item.id)]} if texts else None,
                }
            )
            for item, score in zip(found.items[: body.top_n], scores, strict=False)
        ],
        meta=RerankMeta(rerank_status=str(how.rerank_status), cause=how.cause and str(how.cause)),
    )
    content = answer.model_dump_json(exclude={"results": {"__all__": {"document"}}} if not texts else None)
    return Response(content, media_type="application/json")


async def _ranked(service: Service, query: str, texts: Sequence[str], *, spent: bool) -> Recommendation:
    given = cast(Any, _Documents(texts))
    stock = Stock(cast(Library, given), cast(Recall, given))
    base = service.pipeline
    rank = base.rank.model_copy(
        update={"weight": 1.0, "cap": None, "title_chars": DOCUMENT_CHARS, "domain": "items"}
    )
    n = len(texts)
    return await base.variant(rank=rank, stock=lambda: stock).recommend(
        Request(
            person=None,
            k=n,
            n=n,
            depth=n,
            wish=query,
            mode="rank",
            history=History(None),
            spent=spent,
            candidates=tuple(Candidate(str(place), place, float(n - place)) for place in range(n)),
        )
    )


def _scores(found: Recommendation) -> list[float]:
    """One for each item, falling, in (0, 1]."""
    n = len(found.items)
    ranking = found.ranking
    if ranking is not None and ranking.scores is not None and len(ranking.scores) == n:
        return [1 / (1 + math.exp(-max(-60.0, min(60.0, score)))) for score in ranking.scores]
    return [(n - place) / n for place in range(n)]
