"""Where an integration gets recommendations: a pipeline in this process, or a running service by its URL."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import httpx
from pydantic import BaseModel, ValidationError

from recall.errors import ConfigError, ModelError, NotFound, WhyrecError
from rerank.ground import in_order
from rerank.pipeline import Pipeline
from rerank.types import Cause, Deadline, RankedItem, Request

Mode = Literal["recall", "rank", "explain"]


@dataclass(frozen=True, slots=True)
class Question:
    """`person` is a person id, or an account as PLATFORM:USER. `candidates`: item ids to order instead of
    recall's own, best first."""

    person: str
    wish: str | None = None
    platform: str | None = None
    k: int = 10
    mode: Mode = "recall"
    depth: int | None = None
    seconds: float = 30.0
    candidates: tuple[str, ...] | None = None


class _Evidence(BaseModel):
    kind: str
    text: str
    event: str | None = None
    platform: str | None = None


class _Reason(BaseModel):
    text: str
    author: str
    evidence: list[_Evidence] = []


class _Listing(BaseModel):
    platform: str
    listing: str
    url: str | None = None


class Found(BaseModel):
    """One recommended item, as the service's answers hold it. Every text in it is untrusted data."""

    item: str
    title: str
    year: int | None = None
    categories: list[str] = []
    listings: list[_Listing] = []
    rank: int
    recall_rank: int
    score: float
    sources: dict[str, float] = {}
    reason: _Reason | None = None


@runtime_checkable
class Source(Protocol):
    async def recommend(self, question: Question) -> list[Found]:
        """Best first. NotFound for an unknown person or item; ModelError(CONNECTION) without the service."""


class InProcess:
    """Over an opened pipeline (api.opening.open_pipeline), whose owner closes it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    async def recommend(self, question: Question) -> list[Found]:
        platform, colon, user = question.person.partition(":")
        person = question.person
        if colon:
            person = await asyncio.to_thread(self.pipeline.library.person, platform, user)
        request = Request(
            person=person,
            platform=question.platform,
            k=question.k,
            depth=question.depth,
            wish=question.wish,
            mode=question.mode,
            deadline=Deadline.after(question.seconds),
        )
        if question.candidates is not None:
            request = replace(request, candidates=in_order(question.candidates))
        answer = await self.pipeline.recommend(request)
        return [_found(item) for item in answer.items]


class Service:
    """A running `whyrec serve` at `url`, such as http://localhost:8080; `key` where it asks for one."""

    def __init__(self, url: str, *, key: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def recommend(self, question: Question) -> list[Found]:
        platform, colon, user = question.person.partition(":")
        body: dict[str, Any] = {"k": question.k, "mode": question.mode}
        body |= {"user": {"platform": platform, "user": user}} if colon else {"person": question.person}
        body["deadline_ms"] = max(10, min(600_000, round(question.seconds * 1000)))
        given = {"wish": question.wish, "platform": question.platform, "depth": question.depth}
        body |= {key: value for key, value in given.items() if value is not None}
        if question.candidates is not None:
            body["candidates"] = list(question.candidates)
        try:
            async with httpx.AsyncClient(headers=self._headers, timeout=question.seconds + 5) as client:
                answer = await client.post(f"{self.url}/v1/recommendations", json=body)
        except httpx.HTTPError as error:
            raise ModelError(
                f"{self.url}: no answer ({type(error).__name__}); is `whyrec serve` up?", Cause.CONNECTION
            ) from error
        if answer.status_code != 200:
            raise _refused(self.url, answer)
        try:
            return [Found.model_validate(row) for row in answer.json()["items"]]
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise ModelError(f"{self.url}: not an answer of whyrec's service", Cause.BAD_REPLY) from error


def _found(ranked: RankedItem) -> Found:
    item, reason = ranked.item, ranked.reason
    return Found.model_validate(
        {
            "item": item.id,
            "title": item.title,
            "year": item.year,
            "categories": item.categories,
            "listings": [
                {"platform": each.platform, "listing": each.listing, "url": each.url}
                for each in item.listings
            ],
            "rank": ranked.rank,
            "recall_rank": ranked.candidate.rank + 1,
            "score": ranked.score,
            "sources": dict(ranked.candidate.sources),
            "reason": reason
            and {
                "text": reason.text,
                "author": reason.author,
                "evidence": [
                    {"kind": e.kind, "text": e.text, "event": e.event, "platform": e.platform}
                    for e in reason.evidence
                ],
            },
        }
    )


def _refused(url: str, answer: httpx.Response) -> WhyrecError:
    try:
        problem = answer.json()
        said = str(problem.get("detail") or problem.get("title") or "")[:300]
    except (ValueError, AttributeError):
        said = ""
    text = f"{url}: {answer.status_code} {said}".rstrip()
    if answer.status_code == 404:
        return NotFound(text)
    if answer.status_code >= 500:
        return ModelError(text, Cause.SERVER_ERROR)
    return ConfigError(text)
