"""POST /rerank, /v1/rerank, /v2/rerank: the wire that Jina, Cohere and vLLM share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.schemas.strict import WHOLE

MOST = 1_000

_Text = Annotated[str, StringConstraints(max_length=20_000)]


class DocumentBody(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    text: _Text


class RerankBody(BaseModel):
    """Fields of those services that mean nothing here are ignored, since their clients send them."""

    model_config = ConfigDict(
        extra="ignore",
        strict=True,
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [
                {
                    "model": "any",
                    "query": "a film about the sea",
                    "documents": ["A desert story", {"text": "The old fisherman"}],
                    "top_n": 1,
                }
            ]
        },
    )

    query: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    documents: list[_Text | DocumentBody] = Field(min_length=1, max_length=MOST)
    model: Annotated[str, StringConstraints(max_length=256)] | None = None
    """Taken and ignored: the configured one answers."""
    top_n: Annotated[int, Field(ge=1), WHOLE] | None = None
    """How many come back; absent: all."""
    return_documents: bool | None = None
    """Whether texts come back; absent: yes, but under /v2 no."""


class RerankDocument(BaseModel):
    text: str


class RerankResult(BaseModel):
    index: int
    """In the request, from 0."""
    relevance_score: float
    """Falls with the place: the method's own where it has scores, else evenly from 1."""
    document: RerankDocument | None = None


class RerankUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class RerankMeta(BaseModel):
    rerank_status: str
    """full, partial or skipped: then the documents stand as they came."""
    cause: str | None


class RerankAnswer(BaseModel):
    id: str
    model: str
    usage: RerankUsage
    results: list[RerankResult]
    meta: RerankMeta
