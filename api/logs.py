"""What the service writes while it runs: one JSON object a line, or readable lines on a terminal.

A line of a request holds its id, route template, status and time, and the id of the key; never a path, a
query, a body, a title or a user id.
"""

from __future__ import annotations

import json as json_module
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

import structlog
from starlette.types import Scope

from api.watched import route_of

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SECRET = re.compile(r"whyrec_[0-9a-f]{12}_[A-Za-z0-9_-]{43}|\bsk-[A-Za-z0-9_-]{8,}|://[^/@\s]+@")

_requests = structlog.stdlib.get_logger("whyrec.requests")
_plain = logging.getLogger("whyrec.requests")
_encode = json_module.JSONEncoder(sort_keys=True).encode


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """A request's line comes ready made: structlog's way to it costs as much as a small answer."""

    lines = False
    """Whether lines are JSON objects."""

    def format(self, record: logging.LogRecord) -> str:
        ready: str | None = getattr(record, "ready", None)
        return super().format(record) if ready is None else ready


def configure_logs(*, json: bool, level: str = "INFO") -> None:
    """Send every logger of the process, uvicorn's included, to stderr in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        clean,
    ]
    last: Any = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    _Formatter.lines = json
    handler.setFormatter(
        _Formatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers[:], logger.propagate = [], True
    # It prints paths, which hold user ids.
    logging.getLogger("uvicorn.access").disabled = True
    for chatty in ("httpx", "httpcore", "openai", "alembic", "aiosqlite"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def clean(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Nothing in a line may end it early, hide in it, or open a door."""
    return {key: _clean(key, value) if isinstance(value, str) else value for key, value in event.items()}


def _clean(key: str, text: str) -> str:
    text = _SECRET.sub("(hidden)", text)
    return text if key == "exception" else _CONTROLS.sub(" ", text)


def answered(scope: Scope, status: int, seconds: float) -> None:
    """One line for an answer."""
    key = scope.get("state", {}).get("key")
    told = {
        "request_id": scope.get("request_id", ""),
        "method": _clean("method", scope["method"][:10]),
        "route": route_of(scope),
        "status": status,
        "ms": round(1000 * seconds, 1),
        "key": getattr(key, "id", None),
    }
    if not _Formatter.lines:
        _requests.info("request", **told)
    elif _plain.isEnabledFor(logging.INFO):
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        head = {"event": "request", "level": "info", "logger": "whyrec.requests", "timestamp": now}
        _plain.info("request", extra={"ready": _encode(head | told)})
