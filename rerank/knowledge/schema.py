"""The form in which a model writes down what it read out of an item."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from prompts.fields import kinds, meaning, version
from rerank.knowledge.types import OPEN

SOURCES = ("title", "year", "creators", "categories", "description", "language", "min_age")
"""Fields of an item that can state a fact. The sources of platforms carry no reviews yet."""

SURE = {"yes": 0.95, "likely": 0.75, "maybe": 0.4}
"""A model's own words for how sure it is, as confidence: its numbers would say no more, and cost tokens."""

LINE = "line"
"""The kind of the one sentence about the whole item."""


@lru_cache
def items_schema(domain: str) -> dict[str, Any]:
    """JSON schema of an answer about one item: flat, every field required, no length keywords; the same
    object for all items of a domain, so that servers compile it once."""
    fact = {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": list(kinds(domain))},
            "value": {"type": "string"},
            "source": {"type": "string", "enum": [*SOURCES, OPEN]},
            "sure": {"type": "string", "enum": list(SURE)},
        },
        "required": ["kind", "value", "source", "sure"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {LINE: {"type": "string"}, "facts": {"type": "array", "items": fact}},
        "required": [LINE, "facts"],
        "additionalProperties": False,
    }


def field_lines(domain: str, language: str) -> str:
    """The kinds of a domain as a prompt lists them, one a line."""
    return "\n".join(f"- {kind}: {meaning(kind, language)}" for kind in kinds(domain))


def schema_mark(domain: str) -> str:
    """Changes with the version of the schema and with the domain."""
    return f"{version()}:{','.join(kinds(domain))}"
