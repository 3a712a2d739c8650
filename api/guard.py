"""Who may come through which door: a key in the header, its scope for the route, its platforms, its rate.

What is not listed as public needs a key, and a route that SCOPES does not name needs `admin`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request

from api.keys import SCOPES as ALL_SCOPES
from api.keys import Key, KeyRing
from api.problems import responses
from api.rates import Rates
from api.security import SecurityConfig
from recall.store import Store

PUBLIC = frozenset({"/health/live", "/health/ready", "/version", "/docs", "/openapi.json"})
"""Answered without a key: they tell nothing about anybody."""

SCOPES: dict[tuple[str, str], str] = {
    ("POST", "/v1/recommendations"): "read",
    ("GET", "/v1/recommendations/{id}"): "read",
    ("GET", "/v1/users/{platform}/{user}/recommendations"): "read",
    ("POST", "/v1/batches"): "read",
    ("GET", "/v1/batches/{id}"): "read",
    ("GET", "/v1/batches/{id}/rows"): "read",
    ("DELETE", "/v1/batches/{id}"): "read",
    ("POST", "/v1/events"): "write",
    ("POST", "/v1/feedback"): "write",
    ("GET", "/v1/users/{platform}/{user}/history"): "read",
    ("GET", "/v1/users/{platform}/{user}/profile"): "read",
    ("POST", "/rerank"): "read",
    ("POST", "/v1/rerank"): "read",
    ("POST", "/v2/rerank"): "read",
    ("GET", "/v1/items"): "read",
    ("PUT", "/v1/items"): "write",
    ("GET", "/v1/items/{item}"): "read",
    ("GET", "/v1/items/{item}/similar"): "read",
}
"""What a route needs, by method and path template; routes that are not here need `admin`."""

EVERYBODY = Key("open", "open", frozenset(ALL_SCOPES))
"""Who asks a service that is open for development."""

_SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


class Guard:
    """A dependency of every route. Leaves the caller's key in `request.state.key`."""

    def __init__(self, store: Store, config: SecurityConfig) -> None:
        self._ring = KeyRing(store)
        self._rates = Rates(store, "requests", seconds=60)
        self._open = config.open
        self._per_minute = config.per_minute

    async def __call__(self, request: Request) -> None:
        """HTTPException 401, 403 or 429."""
        path = getattr(request.scope.get("route"), "path_format", "")
        if path in PUBLIC and "measure" not in request.query_params:
            return
        key = EVERYBODY if self._open else await self._known(request)
        needed = SCOPES.get((request.method, path), "admin")
        if not key.holds(needed):
            raise HTTPException(403, f"This key has no scope {needed!r}: use another, or make one with it.")
        if (platform := request.path_params.get("platform")) is not None:
            check_platforms(key, platform)
        request.state.key = key
        limit = self._per_minute if key.per_minute is None else key.per_minute
        if limit and not self._open:
            verdict = await self._rates.take(key.id, limit)
            if not verdict.allowed:
                detail = f"This key may ask {limit} times a minute: wait {verdict.reset} s."
                raise HTTPException(429, detail, verdict.headers())
            request.scope["answer_headers"] = verdict.headers()

    async def _known(self, request: Request) -> Key:
        shown = {request.headers["x-api-key"]} if "x-api-key" in request.headers else set()
        if "authorization" in request.headers:
            scheme, _, value = request.headers["authorization"].partition(" ")
            shown.add(value.strip() if scheme.lower() == "bearer" else "")
        # Of two different ones it would depend on us which counts: none does.
        key = await self._ring.find(shown.pop()) if len(shown) == 1 else None
        if key is None:
            raise HTTPException(
                401,
                "No valid key: send Authorization: Bearer KEY or X-API-Key.",
                {"WWW-Authenticate": 'Bearer realm="whyrec"'},
            )
        return key


def check_platforms(key: Key, *platforms: str | None) -> None:
    """HTTPException 403 where the key is not for one of these; None stands for "any platform"."""
    if key.platforms is None:
        return
    for platform in platforms:
        if platform is None:
            raise HTTPException(403, "This key is for certain platforms: name the asking platform.")
        if platform not in key.platforms:
            raise HTTPException(403, "This key is not for this platform.")


def document(app: FastAPI) -> None:
    """Put keys and the guard's refusals into the OpenAPI of every route that is not public."""
    made: Callable[[], dict[str, Any]] = app.openapi
    refusals = {
        str(status): {key: value for key, value in entry.items() if key != "model"}
        for status, entry in responses(401, 403, 429).items()
    }

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = made()
            schema.setdefault("components", {})["securitySchemes"] = _SCHEMES
            for path, methods in schema["paths"].items():
                for operation in methods.values() if path not in PUBLIC else ():
                    operation["security"] = [{name: []} for name in _SCHEMES]
                    operation["responses"] = {**refusals, **operation["responses"]}
        return app.openapi_schema or made()

    app.openapi = openapi  # type: ignore[method-assign]
