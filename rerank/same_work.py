"""A model's judgement on a doubtful pair of listings: one work, two works, or left for a person.

Each pair is asked twice, with the entries the other way round the second time. Only where both answers agree
it is decided: a model that says yes to whatever stands first decides nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prompts import Prompt, load
from recall.errors import ModelError
from rerank.types import Cause, ChatModel, Deadline, Message, Sampling
from rerank.untrusted import clean, quoted
from rerank.verbs import Language

SAME, MAX_TOKENS = ("yes", "no", "unsure"), 20
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"same": {"type": "string", "enum": list(SAME)}},
    "required": ["same"],
    "additionalProperties": False,
}

_ANSWER = re.compile(r'"same"\s*:\s*"(yes|no|unsure)"')


@dataclass(frozen=True, slots=True)
class Judged:
    """`same` is None where it was left open, and `cause` says whether a failed call is why."""

    same: bool | None
    model: str
    cause: Cause | None = None


async def same_work(
    model: ChatModel,
    one: Mapping[str, Any],
    other: Mapping[str, Any],
    deadline: Deadline,
    *,
    language: Language = "en",
) -> Judged:
    """`one` and `other` are rows of a build's listings (recall.tables.LISTINGS). Raises nothing that a model
    does."""
    prompt = load("same-work", language=language)
    said: list[str] = []
    name = model.name
    try:
        for pair in ((one, other), (other, one)):
            reply = await model.chat(
                messages(prompt, *pair),
                sampling=Sampling(max_tokens=MAX_TOKENS),
                deadline=deadline,
                schema=SCHEMA,
            )
            name = reply.model
            said.append(parse_same(reply.text))
            if said[-1] == "unsure":
                return Judged(None, name)
    except ModelError as error:
        return Judged(None, name, Cause(error.cause))
    return Judged(said[0] == "yes" if said[0] == said[1] else None, name)


def messages(prompt: Prompt, one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Message]:
    return [Message(role, text) for role, text in prompt.render(one=entry(one), other=entry(other))]


def entry(row: Mapping[str, Any]) -> str:
    """'"Title" (1999), Action, by "Name"': no ids, which would tell nothing but where it comes from."""
    text = quoted(str(row.get("title") or ""), 160)
    if row.get("year") is not None:
        text += f" ({row['year']})"
    text += "".join(f", {clean(name, 40)}" for name in (row.get("categories") or ())[:6])
    if row.get("creators"):
        text += ", by " + ", ".join(quoted(name, 60) for name in row["creators"][:3])
    return text


def parse_same(text: str) -> str:
    """yes, no or unsure; anything else is unsure, and so is an answer that says two things."""
    try:
        found = json.loads(text)
    except ValueError:
        said = set(_ANSWER.findall(text))
        return said.pop() if len(said) == 1 else "unsure"
    same = found.get("same") if isinstance(found, dict) else None
    return same if same in SAME else "unsure"
