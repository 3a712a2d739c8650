"""What goes through a batch of extractions: subjects, questions about them, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from rerank.knowledge.store import Extraction
from rerank.types import Message

S = TypeVar("S")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Subject(Generic[S]):
    """One item or person to read. `what` is the caller's own; the hashes tell whether it was read before."""

    id: str
    input_hash: str
    prompt_hash: str
    what: S


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about one subject. `person`: whose budget and erasure it falls under."""

    messages: tuple[Message, ...]
    schema: Mapping[str, Any]
    max_tokens: int
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Found(Generic[V]):
    """What a reply holds, after all checks; `dropped` counts what it held too much, by cause."""

    value: V
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settled(Generic[S]):
    """How a subject was settled: `model` as asked for, `served` as the reply calls it, `began` in UTC seconds
    before its question was put together, `calls` that it took."""

    subject: Subject[S]
    model: str
    served: str
    began: int
    calls: int

    def extraction(self, status: Literal["done", "damaged"] = "damaged") -> Extraction:
        one = self.subject
        return Extraction(one.id, one.input_hash, one.prompt_hash, self.model, status, self.calls)


Ended: TypeAlias = tuple[Settled[S], Found[V] | None]
"""A subject and what was found about it; None: every reply was damaged."""


def messages_of(rendered: Sequence[tuple[Any, str]]) -> tuple[Message, ...]:
    """What Prompt.render gives, as messages."""
    return tuple(Message(role, text) for role, text in rendered)
