"""The doors, one module per noun. `ROUTERS` is all of them, in the order of the documentation."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import events, feedback, health, items, operations, recommendations, rights, users

ROUTERS: tuple[APIRouter, ...] = (
    recommendations.router,
    events.router,
    feedback.router,
    users.router,
    rights.router,
    items.router,
    health.router,
    operations.router,
)
