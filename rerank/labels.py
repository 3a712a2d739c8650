"""Short labels that stand for candidates within one request. History lines have h1, h2 … (rerank/summary.py).

Up to 26 candidates get single capital letters, which every tokenizer in use holds as one token; more get
two letters, so that no label is part of another and none is a number that a title could hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from string import ascii_uppercase
from typing import Any

SINGLE = len(ascii_uppercase)
"""How many single-token labels there are."""


@lru_cache
def candidate_labels(n: int) -> tuple[str, ...]:
    """The first n labels: A, B … or, beyond 26, AA, AB … (up to 676). ValueError above that."""
    if n <= SINGLE:
        return tuple(ascii_uppercase[:n])
    if n > SINGLE * SINGLE:
        raise ValueError(f"{n} labels: at most {SINGLE * SINGLE} candidates fit one call; lower `window`")
    return tuple(a + b for a in ascii_uppercase for b in ascii_uppercase)[:n]


def own_label(place: int, per: str) -> str:
    """The label under which reasons know the item at `place`, from 0: there 26 are asked about at a time, or
    (`per` 'item') one."""
    return candidate_labels(SINGLE)[place % SINGLE if per == "list" else 0]


@lru_cache
def order_schema(labels: Sequence[str]) -> dict[str, Any]:
    """JSON schema of a listwise answer: flat, no length keywords, the same object for the same labels."""
    return {
        "type": "object",
        "properties": {"order": {"type": "array", "items": {"type": "string", "enum": list(labels)}}},
        "required": ["order"],
        "additionalProperties": False,
    }


MOST_CITED = 4

REASONS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reasons": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "item": {"type": "string"},
                    "cites": {"type": "array", "items": {"type": "string"}},
                    "text": {"type": "string"},
                },
                "required": ["item", "cites", "text"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["reasons"],
    "additionalProperties": False,
}
"""JSON schema of an answer with reasons. Labels are plain strings: the same schema serves every request."""


_LENGTHS = {"cites": {"minItems": 1, "maxItems": MOST_CITED}, "facts": {"minItems": 1, "maxItems": 10}}
"""Of arrays by name, where an engine enforces lengths."""


def whole_orders(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` in which an array of choices is as long as there are choices.

    openvino-genai's grammar and vLLM's enforce lengths, which not every server takes; without one a small
    model closes the array at once ({"order":[]} from SmolLM2 on 20 candidates). A reason cites one to
    MOST_CITED labels, an item has one to ten facts: without that the same kind of model cites every line
    there is, and writes facts until its tokens are used up.
    """
    changed = dict(schema)
    for name, part in schema.items():
        if isinstance(part, Mapping):
            changed[name] = whole_orders(part)
            if name in _LENGTHS:
                changed[name] |= _LENGTHS[name]
    choices = changed.get("items", {}).get("enum") if schema.get("type") == "array" else None
    if choices:
        changed |= {"minItems": len(choices), "maxItems": len(choices)}
    return changed
