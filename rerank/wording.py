"""From a history and candidates to the messages of a prompt: every slot filled with cleaned text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from prompts import Prompt
from recall.types import Item
from rerank.knowledge.told import described
from rerank.knowledge.types import Fact
from rerank.summary import Summary, categories, title
from rerank.types import Message
from rerank.untrusted import clean, quoted
from rerank.verbs import Language

WISH_CHARS, PROFILE_CHARS = 300, 1200
"""A longer wish or profile is cut."""

WISH_LABEL = "w"
"""By which a reason cites the person's wish."""


def candidate_line(
    item: Item,
    label: str,
    *,
    language: Language = "en",
    title_chars: int = 120,
    description_chars: int = 0,
    facts: Sequence[Fact] = (),
) -> str:
    """A: "Title" (1999), Action, Sci-Fi, by "Name" – "what it is about" – mood "dark"; theme "revenge".

    Without a label, no 'A: '. Every value is cleaned and in quotes.
    """
    line = (f"{label}: " if label else "") + title(item, title_chars) + categories(item)
    if item.creators:
        line += (", 作者 " if language == "zh" else ", by ") + ", ".join(
            quoted(name, 60) for name in item.creators[:3]
        )
    if description_chars and item.description:
        line += " – " + quoted(item.description, description_chars)
    if facts:
        line += " – " + described(facts, language)
    return line


def messages(
    prompt: Prompt,
    summary: Summary,
    items: Sequence[Item],
    labels: Sequence[str],
    *,
    platform: str | None = None,
    wish: str | None = None,
    profile: str = "",
    title_chars: int = 120,
    description_chars: int = 0,
    facts: Mapping[str, Sequence[Fact]] = MappingProxyType({}),
    common: str = "",
) -> list[Message]:
    """The prompt's messages for these items; `labels` may be longer than they are. `facts` are shown with
    the items that they belong to, `common` is what items and history have in common, a line each."""
    lines = [
        candidate_line(
            item,
            label,
            language=prompt.language,
            title_chars=title_chars,
            description_chars=description_chars,
            facts=facts.get(item.id, ()),
        )
        for item, label in zip(items, labels, strict=False)
    ]
    filled = prompt.render(
        history=summary.text,
        candidates="\n".join(lines),
        candidate="\n".join(lines[:1]),
        labels=", ".join(labels[: len(items)]),
        count=str(len(items)),
        wish=clean(wish or "", WISH_CHARS),
        platform=clean(platform or "", 40),
        example=summary.example,
        profile=profile,
        facts=common,
    )
    return [Message(role, text) for role, text in filled]
