"""The doors, one module per noun. `ROUTERS` is all of them, in the order of the documentation."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import events, health, items, operations, recommendations, users

ROUTERS: tuple[APIRouter, ...] = (
    recommendations.router,
    events.router,
    users.router,
    items.router,
    health.router,
    operations.router,
)
