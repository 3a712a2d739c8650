"""Milliseconds per stage of one request, and a span of it where traces are collected."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import get_tracer

_tracer = get_tracer("whyrec")  # does nothing until api/tracing.py installs a provider


class Stopwatch:
    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._spent: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            with _tracer.start_as_current_span(f"whyrec.{stage}"):
                yield
        finally:
            self._spent[stage] = self._spent.get(stage, 0.0) + time.perf_counter() - began

    def milliseconds(self) -> dict[str, float]:
        """By stage, and 'total' since the watch was made; tenths."""
        spent = {**self._spent, "total": time.perf_counter() - self._began}
        return {stage: round(seconds * 1000, 1) for stage, seconds in spent.items()}
