"""An answer as Server-Sent Events: what is known is sent at once, and the end is always said."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.requests import Request as HTTPRequest
from starlette.responses import Response

from api.answers import item_of, json_of, reason_of
from api.asking import Question
from api.problems import Stopping, body_of
from api.service import Service
from rerank.types import Done, Ranked, Reasoned, Recalled, StreamEvent

PING_SECONDS = 10.0
"""A comment is sent when nothing else was for so long, so that proxies keep the connection."""

log = logging.getLogger("whyrec.http")


def wants_stream(request: HTTPRequest) -> bool:
    """Whether the caller prefers events to one JSON document."""
    accepted = request.headers.get("accept", "")
    return any(part.split(";")[0].strip().lower() == "text/event-stream" for part in accepted.split(","))


async def streamed(request: HTTPRequest, service: Service, question: Question) -> Response:
    """Errors before the first event are plain problem answers; after it they are the event `error`."""
    events = question.plan.pipeline.stream(question.request)
    try:
        first = await anext(events)
    except BaseException:
        await events.aclose()
        raise
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return EventSourceResponse(_written(request, service, question, first, events), headers=headers)


async def _written(
    request: HTTPRequest,
    service: Service,
    question: Question,
    first: StreamEvent,
    events: AsyncGenerator[StreamEvent],
) -> AsyncIterator[bytes]:
    """When the caller leaves, this is closed, which closes the pipeline's stream and frees the model."""
    try:
        yield await _event(service, question, first)
        following = asyncio.ensure_future(anext(events, None))
        stopping = asyncio.ensure_future(service.stopping.wait())
        try:
            while True:
                done, _ = await asyncio.wait(
                    {following, stopping}, timeout=PING_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    yield KEEPALIVE_COMMENT
                    continue
                if following not in done:
                    yield _error(request, Stopping("the service stops: ask again"))
                    return
                event = following.result()
                if event is None:
                    return
                yield await _event(service, question, event)
                following = asyncio.ensure_future(anext(events, None))
        finally:
            following.cancel()
            stopping.cancel()
            await asyncio.gather(following, stopping, return_exceptions=True)
    except Exception as error:
        name = request.scope.get("request_id")
        log.error("request %s: stream: %s", name, type(error).__name__, exc_info=error)
        yield _error(request, error)
    finally:
        await events.aclose()


def _error(request: HTTPRequest, error: Exception) -> bytes:
    return format_sse_event(event="error", data_str=json.dumps(body_of(request, error)))


async def _event(service: Service, question: Question, event: StreamEvent) -> bytes:
    match event:
        case Recalled(items):
            name, data = "recalled", json_of({"items": [item_of(item) for item in items]})
        case Ranked(items):
            name, data = "ranked", json_of({"items": [item_of(item) for item in items]})
        case Reasoned(rank, item, reason):
            name, data = "reason", json_of({"rank": rank, "item": item, "reason": reason_of(reason)})
        case Done(recommendation):
            await question.keep(service, recommendation)
            name, data = "done", question.shown(recommendation)
    return format_sse_event(event=name, data_str=data.decode())
