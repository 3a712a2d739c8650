"""Reasons that were written before: kept by person, model, prompt, history summary, wish and item.

A list that changed by one item asks for that item's reason alone. Kept is what the model wrote: the check is
made anew each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from rerank.common import shared_lines
from rerank.labels import candidate_labels, own_label
from rerank.reasons import Draft, ReasonTask
from rerank.types import ChatModel, Deadline
from rerank.wording import candidate_line

_OWN = "@"
"""Stands for the item's own label, which depends on its place; '@1' for the first fact that it shares."""


@runtime_checkable
class Noting(Protocol):
    """A model that keeps notes for its person (rerank/llm/cached.py)."""

    async def notes(self, keys: Sequence[Any], deadline: Deadline) -> list[Mapping[str, Any] | None]: ...

    async def note(self, key: Any, value: Mapping[str, Any], model: str, deadline: Deadline) -> None: ...


async def remembered(task: ReasonTask, model: ChatModel, deadline: Deadline) -> list[Draft]:
    """Drafts of earlier answers for some of the task's items, in their order."""
    if not isinstance(model, Noting):
        return []
    found = await model.notes([_key(task, place) for place in range(len(task.items))], deadline)
    drafts = []
    for place, note in enumerate(found):
        if note is not None:
            now = {kept: label for label, kept in _kept_labels(task, place).items()}
            cites = tuple(now.get(label, label) for label in note["cites"])
            drafts.append(Draft(place, note["text"], cites))
    return drafts


async def remember(
    task: ReasonTask, model: ChatModel, drafts: Sequence[Draft], served: str, deadline: Deadline
) -> None:
    """Keep what `served` wrote, but for what cites another item's label, which means nothing elsewhere."""
    if not isinstance(model, Noting):
        return
    for draft in drafts:
        mine = _kept_labels(task, draft.item)
        cites = [mine.get(label, label) for label in draft.cites]
        others = {*candidate_labels(26), *(one.label for one in task.shared)}
        if not set(cites) & others:
            value = {"text": draft.text, "cites": cites}
            await model.note(_key(task, draft.item), value, served, deadline)


def _kept_labels(task: ReasonTask, place: int) -> dict[str, str]:
    """The labels that depend on the item's place, and what stands for each."""
    shared = [one.label for one in task.shared if one.place == place]
    return {own_label(place, task.settings.per): _OWN} | {
        label: f"{_OWN}{number}" for number, label in enumerate(shared, 1)
    }


def _key(task: ReasonTask, place: int) -> list[Any]:
    item = task.items[place]
    line = candidate_line(item, "", title_chars=task.title_chars, description_chars=task.description_chars)
    asked = [task.prompt.hash, task.summary.text, task.wish, task.platform, item.id, line]
    mine = [one for one in task.shared if one.place == place]
    numbered = [replace(one, label=f"{_OWN}{number}") for number, one in enumerate(mine, 1)]
    shared = shared_lines(numbered, {place: _OWN}, task.prompt.language)
    return ["reason", *asked, task.settings.max_tokens, *([shared] if shared else [])]
