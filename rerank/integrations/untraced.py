"""LangChain's tracing sends prompts and answers to an outside service; here it stays off unless asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.context import tracing_v2_callback_var
from langsmith import tracing_context

APART = RunnableConfig(callbacks=[])
"""For a call that hands nothing to the callbacks of the run around it, of which one may be a tracer."""


@contextmanager
def untraced() -> Iterator[None]:
    """Whatever the environment (LANGSMITH_TRACING …) or a caller's tracing context says."""
    token = tracing_v2_callback_var.set(None)
    try:
        with tracing_context(enabled=False, parent=False):
            yield
    finally:
        tracing_v2_callback_var.reset(token)
