"""From a history and candidates to the messages of a prompt: every slot filled with cleaned text."""

from __future__ import annotations

from collections.abc import Sequence

from prompts import Prompt
from recall.types import Item
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
) -> str:
    """A: "Title" (1999), Action, Sci-Fi, by "Name" – "what it is about". Without a label, no 'A: '."""
    line = (f"{label}: " if label else "") + title(item, title_chars) + categories(item)
    if item.creators:
        line += (", 作者 " if language == "zh" else ", by ") + ", ".join(
            quoted(name, 60) for name in item.creators[:3]
        )
    if description_chars and item.description:
        line += " – " + quoted(item.description, description_chars)
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
) -> list[Message]:
    """The prompt's messages for these items; `labels` may be longer than they are."""
    lines = [
        candidate_line(
            item,
            label,
            language=prompt.language,
            title_chars=title_chars,
            description_chars=description_chars,
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
    )
    return [Message(role, text) for role, text in filled]
