"""Reasons by a model, for the items that are returned: written, read, checked, or replaced."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prompts import Prompt
from recall.types import Because, History, Item
from rerank.config import ReasonsConfig
from rerank.labels import REASONS_SCHEMA, candidate_labels
from rerank.methods.asking import ask
from rerank.reply import MAX_CHARS, json_values, strip_wrapping
from rerank.summary import Summary
from rerank.templates import event_evidence, template_reason
from rerank.types import Call, Cause, ChatModel, Deadline, Evidence, Reason
from rerank.untrusted import clean
from rerank.verbs import Language
from rerank.wording import WISH_LABEL, messages

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
    """`items` are the returned ones, in order; `known` holds the items of the history's events."""

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


async def write_reasons(
    task: ReasonTask, model: ChatModel, deadline: Deadline
) -> tuple[list[Draft], list[Call], Cause | None]:
    """One draft per item at most, in the items' order, unchecked; the calls; the first cause of a failure."""
    count = len(task.items)
    if count == 0:
        return [], [], Cause.NO_CANDIDATES
    if task.settings.per == "list":
        groups = [list(range(start, min(start + 26, count))) for start in range(0, count, 26)]
    else:
        groups = [[place] for place in range(count)]
    gate = asyncio.Semaphore(task.settings.concurrency)

    async def one(group: list[int]) -> tuple[list[Draft], Call, Cause | None]:
        async with gate:
            return await _write(task, group, model, deadline)

    drafts, calls, causes = [], [], []
    for found, call, cause in await asyncio.gather(*(one(group) for group in groups)):
        drafts += found
        calls.append(call)
        causes += [cause] if cause else []
    return sorted(drafts, key=lambda draft: draft.item), calls, causes[0] if causes else None


async def _write(
    task: ReasonTask, group: Sequence[int], model: ChatModel, deadline: Deadline
) -> tuple[list[Draft], Call, Cause | None]:
    labels = candidate_labels(len(group))
    asked = messages(
        task.prompt,
        task.summary,
        [task.items[place] for place in group],
        labels,
        platform=task.platform,
        wish=task.wish,
        title_chars=task.title_chars,
        description_chars=task.description_chars,
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
        return [], call, call.error
    drafts = [Draft(group[d.item], d.text, d.cites) for d in parse_reasons(reply.text, labels)]
    if reply.truncated:
        return drafts, call, Cause.TRUNCATED
    return drafts, call, None if drafts else Cause.UNPARSABLE


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


def evidence_of(draft: Draft, task: ReasonTask) -> tuple[Evidence, ...]:
    """What the draft cites, for a person; labels that do not exist are left out."""
    lines = {line.label: line for line in task.summary.lines}
    item = task.items[draft.item]
    found = []
    for label in draft.cites:
        if label == WISH_LABEL and task.wish:
            found.append(Evidence("wish", label, clean(task.wish, 300)))
        elif line := lines.get(label):
            if line.event:
                found.append(event_evidence(line.event, task.known, label))
            else:
                found.append(Evidence("fact", label, line.text, platform=line.platform))
        elif label in candidate_labels(26):
            facts = ", ".join([*item.categories, *item.creators, *([str(item.year)] if item.year else [])])
            found.append(Evidence("fact", label, clean(facts or item.title, 300), item=item.id))
    return tuple(found)


def settle(
    task: ReasonTask,
    drafts: Sequence[Draft],
    because: Sequence[Because],
    history: History,
    *,
    floor: float = 0.0,
) -> list[Reason]:
    """The reason of each item: the model's where it passes the check, else the template of its source."""
    from rerank.check import check
    from rerank.mentions import vocabulary_of

    vocabulary = vocabulary_of(task) if drafts else None
    written = {draft.item: draft for draft in drafts}
    reasons = []
    for place, item in enumerate(task.items):
        draft = written.get(place)
        code = check(draft, task, vocabulary) if draft else None
        if draft and code is None:
            reasons.append(Reason(draft.text, evidence_of(draft, task), "llm", True))
            continue
        reason = template_reason(
            because[place],
            item,
            history,
            task.known,
            language=task.language,
            platform=task.platform,
            floor=floor,
            silent=task.settings.silent,
        )
        reasons.append(Reason(reason.text, reason.evidence, "template", True, withheld=code))
    return reasons
