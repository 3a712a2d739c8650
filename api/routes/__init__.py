"""The doors, one module per noun. `ROUTERS` is all of them, in the order of the documentation."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import (
    batches,
    events,
    feedback,
    health,
    items,
    operations,
    recommendations,
    rerank,
    rights,
    users,
)

ROUTERS: tuple[APIRouter, ...] = (
    recommendations.router,
    batches.router,
    events.router,
    feedback.router,
    users.router,
    rights.router,
    items.router,
    rerank.router,
    health.router,
    operations.router,
)
