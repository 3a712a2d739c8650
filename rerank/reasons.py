"""Reasons by a model, for the items that are returned: asked for and read. rerank/settle.py judges them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from prompts import Prompt
from recall.types import Item
from rerank.common import Shared, shared_lines
from rerank.config import ReasonsConfig
from rerank.labels import REASONS_SCHEMA, own_label
from rerank.methods.asking import ask
from rerank.reply import MAX_CHARS, json_values, strip_wrapping
from rerank.summary import Summary
from rerank.types import Call, Cause, ChatModel, Deadline, Usage
from rerank.verbs import Language
from rerank.wording import messages

PROMPTS = {"list": "reasons-list", "item": "reasons-item"}
"""The plain prompt for each value of [reasons] per."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a model wrote for `items[item]`. Untrusted: `cites` may hold anything."""

    item: int
    text: str
    cites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReasonTask:
    """`items` are the returned ones, in order; `known` holds the items of the history's events; `shared` what
    both have in common."""

    summary: Summary
    items: tuple[Item, ...]
    known: Mapping[str, Item]
    prompt: Prompt
    platform: str | None = None
    wish: str | None = None
    language: Language = "en"
    settings: ReasonsConfig = field(default_factory=ReasonsConfig)
    title_chars: int = 120
    description_chars: int = 0
    shared: tuple[Shared, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What came of one call: drafts for some of `places`, unchecked, and why some or all are missing."""

    places: tuple[int, ...]
    drafts: tuple[Draft, ...] = ()
    call: Call | None = None
    cause: Cause | None = None


async def write_reasons(task: ReasonTask, model: ChatModel, deadline: Deadline) -> AsyncGenerator[Written]:
    """Asks for a reason for each item, and yields what each call brought, as they end.

    Every item is in exactly one of them; what is not there by the deadline comes with Cause.DEADLINE. Closing
    the iterator cancels the calls under way.
    """
    from rerank.drafts import remember, remembered

    known = await remembered(task, model, deadline)
    if known:
        yield _remembered(known, model)
    kept = {draft.item for draft in known}
    missing = [place for place in range(len(task.items)) if place not in kept]
    groups = _groups(missing, task.settings.per)
    gate = asyncio.Semaphore(task.settings.concurrency)

    async def one(group: tuple[int, ...]) -> Written:
        async with gate:
            written = await _write(task, group, model, deadline)
            if written.call is not None and not written.call.cached:
                await remember(task, model, written.drafts, written.call.model, deadline)
            return written

    waiting = {asyncio.create_task(one(group), name="whyrec-reason"): group for group in groups}
    try:
        while waiting:
            ended, _ = await asyncio.wait(
                waiting, timeout=deadline.left(), return_when=asyncio.FIRST_COMPLETED
            )
            if not ended:
                break
            for done in sorted(ended, key=lambda task: waiting[task]):
                waiting.pop(done)
                yield done.result()
        for group in waiting.values():
            yield Written(group, cause=Cause.DEADLINE)
    finally:
        for late in waiting:
            late.cancel()


def _groups(places: Sequence[int], per: Literal["list", "item"]) -> list[tuple[int, ...]]:
    """The places that are asked about in one call each; within one, no label comes twice."""
    if per == "item":
        return [(place,) for place in places]
    parts: dict[int, list[int]] = {}
    for place in places:
        parts.setdefault(place // 26, []).append(place)
    return [tuple(part) for part in parts.values()]


def _remembered(drafts: Sequence[Draft], model: ChatModel) -> Written:
    said = [{"item": draft.item, "cites": draft.cites, "text": draft.text} for draft in drafts]
    call = Call("reasons", (), json.dumps({"reasons": said}), model.name, Usage(), 0.0, cached=True)
    return Written(tuple(draft.item for draft in drafts), tuple(drafts), call)


async def _write(task: ReasonTask, group: tuple[int, ...], model: ChatModel, deadline: Deadline) -> Written:
    labels = tuple(own_label(place, task.settings.per) for place in group)
    asked = messages(
        task.prompt,
        task.summary,
        [task.items[place] for place in group],
        labels,
        platform=task.platform,
        wish=task.wish,
        title_chars=task.title_chars,
        description_chars=task.description_chars,
        common=shared_lines(task.shared, dict(zip(group, labels, strict=True)), task.prompt.language),
    )
    reply, call = await ask(
        model,
        asked,
        task="reasons",
        max_tokens=task.settings.max_tokens * len(group) + 30,
        deadline=deadline,
        schema=REASONS_SCHEMA,
    )
    if reply is None:
        return Written(group, (), call, call.error)
    drafts = tuple(Draft(group[d.item], d.text, d.cites) for d in parse_reasons(reply.text, labels))
    if reply.truncated:
        return Written(group, drafts, call, Cause.TRUNCATED)
    return Written(group, drafts, call, None if drafts else Cause.UNPARSABLE)


def parse_reasons(text: str, labels: Sequence[str]) -> list[Draft]:
    """What is readable of an answer with reasons: the first for each label, in the labels' order.

    Never raises. An entry without a known label counts only where a single item was asked about.
    """
    known = {label: place for place, label in enumerate(labels)}
    found: dict[int, Draft] = {}
    for entry in _entries(json_values(strip_wrapping(text[:MAX_CHARS], Counter()))):
        said = entry.get("text")
        place = known.get(str(entry.get("item")).strip())
        if place is None and len(labels) == 1:
            place = 0
        if place is None or not isinstance(said, str) or not said.strip():
            continue
        cites = entry.get("cites")
        listed = cites if isinstance(cites, list) else []
        labelled = tuple(dict.fromkeys(c.strip() for c in listed[:20] if isinstance(c, str)))
        found.setdefault(place, Draft(place, said.strip(), labelled))
    return [found[place] for place in sorted(found)]


def _entries(values: Sequence[Any]) -> list[dict[str, Any]]:
    flat: list[dict[str, Any]] = []
    for value in values:
        if isinstance(value, dict) and isinstance(value.get("reasons"), list):
            value = value["reasons"]
        flat += [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, dict)]
    return flat
