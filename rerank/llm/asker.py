"""For whom a model is asked: what its answers are kept under, and what one request has spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

from rerank.types import ChatModel


@dataclass(slots=True)
class Asker:
    """One request. `tokens` and `money` count what its calls took, with what is under way as estimated."""

    person: str | None = None
    tokens: int = 0
    money: float = 0.0


@runtime_checkable
class Bindable(Protocol):
    def bound(self, asker: Asker) -> ChatModel: ...


def bound(model: ChatModel, asker: Asker) -> ChatModel:
    """`model` as this request uses it. Engines of their own have nothing to bind."""
    return model.bound(asker) if isinstance(model, Bindable) else model


def identity(model: ChatModel) -> str | None:
    """What tells a model from all others, without asking it; None where it must be asked."""
    return cast("str | None", getattr(model, "identity", None))
