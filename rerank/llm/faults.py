"""What can go wrong at an endpoint, translated once: whether to try again, when, and under which cause."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Mapping
from typing import Any

import openai

from recall.errors import ModelError
from rerank.types import Cause

BACKOFF = 0.2
"""Seconds before the second attempt; doubled for each further one."""

ADAPTABLE = ("response_format", "max_tokens", "temperature", "seed", "stop")
"""Fields that an endpoint may refuse and that a call can do without."""


def may_retry(error: Exception) -> bool:
    """Whether another attempt could help: 429, 5xx, a connection refused, reset or cut."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    if isinstance(error, openai.APIResponseValidationError | ValueError | ModelError):
        return False
    return isinstance(error, openai.APIConnectionError | OSError | TimeoutError) or _is_transport(error)


def pause(error: Exception, attempt: int) -> float:
    """Seconds to wait before the next attempt: the server's Retry-After (seconds or a date), else a backoff.

    A negative, past or unreadable Retry-After counts as none. Infinite when the server asks for for ever.
    """
    if isinstance(error, openai.APIStatusError):
        asked = _retry_after(error.response.headers)
        if asked is not None and asked > 0:
            return asked
    return float(BACKOFF * 2**attempt)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return None if math.isnan(seconds) else seconds


def adaptation(error: openai.BadRequestError, body: Mapping[str, Any], dropped: frozenset[str]) -> str | None:
    """The field of `body` that the endpoint says it does not take; None when it is another matter."""
    text = f"{error.param or ''} {error.message}".lower()
    for field in ADAPTABLE:
        if field in body and field not in dropped and (field in text or _other_name(field) in text):
            return field
    return None


def _other_name(field: str) -> str:
    return {"response_format": "json_schema"}.get(field, field)


def translate(error: Exception, address: str) -> ModelError:
    """The failure as ModelError with its cause; the text names the endpoint, never a key or a prompt."""
    if isinstance(error, ModelError):
        return error
    if isinstance(error, openai.RateLimitError):
        return ModelError(f"{address}: too many requests (429)", Cause.RATE_LIMITED)
    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        if status >= 500:
            return ModelError(f"{address}: the server failed ({status})", Cause.SERVER_ERROR)
        cause = Cause.CONTEXT if _too_long(error) else Cause.BAD_REQUEST
        return ModelError(f"{address}: refused with {status}: {_short(error.message)}", cause)
    if isinstance(error, openai.APIConnectionError | OSError | TimeoutError) or _is_transport(error):
        why = error.__cause__ or error
        return ModelError(
            f"{address}: no connection ({type(why).__name__}); is the server up?", Cause.CONNECTION
        )
    return ModelError(f"{address}: the reply is not the protocol ({type(error).__name__})", Cause.BAD_REPLY)


def _is_transport(error: Exception) -> bool:
    import httpx

    return isinstance(error, httpx.TransportError)


def _too_long(error: openai.APIStatusError) -> bool:
    text = f"{error.code or ''} {error.message}".lower()
    return "context_length" in text or "context length" in text or "maximum context" in text


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"
