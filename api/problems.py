"""Errors as application/problem+json (RFC 9457): one table, and handlers that never echo a request's body."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from api.people import Unusable
from api.schemas import Problem
from recall.errors import (
    ArtefactError,
    ConfigError,
    DataError,
    MissingExtra,
    ModelError,
    NotFound,
    StoreError,
    TooManyRejects,
    WhyrecError,
)


class Stopping(WhyrecError):
    """The process was told to stop while it wrote a stream."""


STATUSES: dict[type[WhyrecError], int] = {
    NotFound: 404,
    Unusable: 422,
    ConfigError: 500,
    DataError: 500,
    TooManyRejects: 500,
    MissingExtra: 500,
    ModelError: 502,
    ArtefactError: 503,
    StoreError: 503,
    Stopping: 503,
    WhyrecError: 500,
}
"""Status of each error class; a test checks that none is missing."""

_FAILED = "The service failed; its log says why, under the request id."

RETRY_SECONDS = 5
"""After a 503, callers are told to wait this long."""

log = logging.getLogger("whyrec.http")


def install(app: FastAPI) -> None:
    """Answer every error of this app as a problem."""
    app.add_exception_handler(WhyrecError, _own)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of these problem statuses."""
    return {
        status: {
            "model": Problem,
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    kind: str | None = None,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    body = _body(request, status, detail, kind=kind)
    if errors is not None:
        body["errors"] = errors
    # ASCII JSON carries any text, lone surrogates and control characters included.
    return Response(
        json.dumps(body), status_code=status, headers=headers, media_type="application/problem+json"
    )


def body_of(request: Request, error: Exception) -> dict[str, Any]:
    """The problem of an error that came after the answer had begun."""
    if isinstance(error, WhyrecError):
        return _body(request, *_told(error))
    return _body(request, 500, _FAILED)


def _body(request: Request, status: int, detail: str, kind: str | None = None) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    return {
        "type": f"urn:whyrec:{kind or title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": request.scope.get("request_id", ""),
    }


def _told(error: WhyrecError) -> tuple[int, str, str]:
    """Status, detail and kind. What is ours to mend names no files and hosts: those go to the log."""
    kind = type(error)
    status = next(STATUSES[base] for base in kind.__mro__ if base in STATUSES)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()
    if status < 500:
        return status, str(error), name
    return status, "The service can't answer now; its log says why, under the request id.", name


async def _own(request: Request, error: Exception) -> Response:
    assert isinstance(error, WhyrecError)
    status, detail, kind = _told(error)
    if status >= 500:
        log.error("request %s: %s: %s", request.scope.get("request_id"), type(error).__name__, error)
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else None
    return problem(request, status, detail, kind=kind, headers=headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(problem["type"] == "json_invalid" for problem in found):
        return problem(request, 422, "The body is not JSON.", kind="not-json")
    errors = [{"field": _field(each["loc"]), "message": str(each["msg"])} for each in found[:20]]
    fields = ", ".join(dict.fromkeys(each["field"] for each in errors))
    return problem(request, 422, f"Correct these and ask again: {fields}", kind="invalid", errors=errors)


def _field(location: Sequence[Any]) -> str:
    """body.user.platform; names that the caller made up are cut short."""
    return ".".join(str(part)[:60] for part in location)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    if error.status_code == 400:  # FastAPI's, for bytes that are no UTF-8 or are nested too deep
        return problem(request, 422, "The body is not JSON in UTF-8.", kind="not-json")
    if error.status_code == 405:  # the router names the methods of the first route alone
        headers = {**(headers or {}), "Allow": ", ".join(sorted(_methods(request)))}
    return problem(request, error.status_code, str(error.detail), headers=headers)


def _methods(request: Request) -> set[str]:
    """Of every route with this path."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return found


async def _unexpected(request: Request, error: Exception) -> Response:
    # Starlette raises the error again after this answer, so the server logs its traceback.
    log.error("request %s: %s", request.scope.get("request_id"), type(error).__name__)
    return problem(request, 500, _FAILED)
