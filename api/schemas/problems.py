"""Errors and health."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel


class FieldProblem(BaseModel):
    field: str
    """Where in the request, as body.user.platform."""
    message: str


class Problem(BaseModel):
    """RFC 9457 application/problem+json."""

    type: str
    """One per error class, as urn:whyrec:not-found."""
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldProblem] | None = None
    """One entry for each wrong field."""


class Live(BaseModel):
    status: Literal["live"] = "live"


class Ready(BaseModel):
    status: Literal["ready", "not ready"]
    artefact: str
    model: dict[str, Any] | None
    """The language model's capabilities as probed; null where there is none or it does not answer."""
    no_model: str | None
    """Why; answers then keep the recall order."""
    methods: dict[str, str]
    """For each ranking method "ok", or why this model can't serve it and the remedy."""
    measured: dict[str, Any] | None
    """Speed, prefix cache and seed, from the first question with measure=true on; null before it."""
    store: Literal["ok", "unreachable"]


class Version(BaseModel):
    version: str
    python: str
    artefact: str
