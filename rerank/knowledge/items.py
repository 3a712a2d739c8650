"""Extraction of facts about items: who is asked about, with which words, and where the facts go."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from prompts import Prompt, load
from recall.store import Store
from recall.types import Item
from rerank.knowledge.facts import Example, parse_facts
from rerank.knowledge.schema import field_lines, items_schema, schema_mark
from rerank.knowledge.store import save_damaged, save_facts
from rerank.knowledge.subjects import Ended, Found, Question, Settled, Subject, messages_of
from rerank.knowledge.types import Fact
from rerank.types import Reply
from rerank.untrusted import quoted

PROMPT = "extract-items"
TITLE_CHARS, DESCRIPTION_CHARS = 200, 2000
"""Longer ones are cut on the card."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as it is asked about."""

    item: Item
    domain: str


@dataclass(frozen=True, slots=True)
class Items:
    """Extraction of items: makes subjects of them, and is what the runner asks, reads and saves with.

    `domain_of` says by which domain's schema an item is read; `catalogue` holds all categories in use, case
    folded (rerank/knowledge/contradictions.py).
    """

    store: Store
    domain_of: Callable[[Item], str]
    catalogue: frozenset[str] = frozenset()
    language: Literal["en", "zh"] = "en"
    max_tokens: int = 400
    prompt: str = PROMPT

    def subjects(self, items: Iterable[Item]) -> Iterator[Subject[Entry]]:
        """One for each item, in their order. Its input is the item's card, so a change of what is not on the
        card (a price, an address) asks nothing."""
        for item in items:
            domain = self.domain_of(item)
            asked = _hash(self.worded(domain).hash, schema_mark(domain))
            yield Subject(item.id, _hash(card(item)), asked, Entry(item, domain))

    def worded(self, domain: str) -> Prompt:
        return _worded(self.prompt, self.language, domain)

    async def ask(self, subject: Subject[Entry]) -> Question | None:
        entry = subject.what
        prompt = self.worded(entry.domain)
        rendered = prompt.render(card=card(entry.item), fields=field_lines(entry.domain, prompt.language))
        return Question(messages_of(rendered), items_schema(entry.domain), self.max_tokens)

    def read(self, subject: Subject[Entry], reply: Reply) -> Found[tuple[Fact, ...]] | None:
        entry = subject.what
        example = _example(self.prompt, self.language, entry.domain)
        return parse_facts(reply.text, entry.item, entry.domain, self.catalogue, example)

    async def save(self, group: Sequence[Ended[Entry, tuple[Fact, ...]]]) -> list[bool]:
        async with self.store.write() as connection:
            return [await self._save(*one, connection) for one in group]

    async def _save(
        self, settled: Settled[Entry], found: Found[tuple[Fact, ...]] | None, within: AsyncConnection
    ) -> bool:
        one, since = settled.subject, settled.began
        if found is None:
            return await save_damaged(self.store, "item", settled.extraction(), since=since, within=within)
        await save_facts(
            self.store,
            one.id,
            one.input_hash,
            one.prompt_hash,
            settled.model,
            [
                replace(fact, model=settled.served, prompt_hash=one.prompt_hash, time=since)
                for fact in found.value
            ],
            dropped=found.dropped,
            attempts=settled.calls,
            within=within,
        )
        return True


def card(item: Item) -> str:
    """An item's entry as a model reads it: a line for each field that it has, cleaned and cut."""
    others = dict.fromkeys(one.title for one in item.listings if one.title != item.title)
    lines = [f"title: {quoted(item.title, TITLE_CHARS)}"]
    if others:
        lines.append("title elsewhere: " + ", ".join(quoted(title, TITLE_CHARS) for title in [*others][:3]))
    if item.year is not None:
        lines.append(f"year: {item.year}")
    if item.creators:
        lines.append("creators: " + ", ".join(quoted(name, 60) for name in item.creators[:6]))
    if item.categories:
        lines.append("categories: " + ", ".join(quoted(name, 60) for name in item.categories[:12]))
    if item.language:
        lines.append(f"language: {quoted(item.language, 30)}")
    if item.min_age is not None:
        lines.append(f"min_age: {item.min_age}")
    if item.description:
        lines.append(f"description: {quoted(item.description, DESCRIPTION_CHARS)}")
    return "\n".join(lines)


def domains_of(platforms: Mapping[str, str], fixed: str | None = None) -> Callable[[Item], str]:
    """By which domain an item is read: `fixed`, else that of the first of `platforms` (name → domain, in the
    configuration's order) that lists it, else 'items'."""

    def domain(item: Item) -> str:
        listed = set(item.platforms)
        return fixed or next((of for name, of in platforms.items() if name in listed), "items")

    return domain


@lru_cache
def _worded(name: str, language: str, domain: str) -> Prompt:
    return load(name, language=language, domain=domain)


@lru_cache
def _example(name: str, language: str, domain: str) -> Example:
    rendered = _worded(name, language, domain).render(card="", fields="")
    return Example.of("\n".join(text for _, text in rendered))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
