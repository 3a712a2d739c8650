"""The doors, one module per noun. `ROUTERS` is all of them, in the order of the documentation."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import health, operations, recommendations

ROUTERS: tuple[APIRouter, ...] = (recommendations.router, health.router, operations.router)
