"""Extraction of profiles: of whom, from which part of the history, with which words, and where they go."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from prompts import Prompt, load
from recall.errors import NotFound
from recall.store import Store
from recall.types import Event, History, Item
from rerank.knowledge.statements import STATEMENTS_SCHEMA, parse_statements
from rerank.knowledge.store import MOST_PARTS, Extraction, part_of, save_damaged, save_profile
from rerank.knowledge.subjects import Ended, Found, Question, Settled, Subject, messages_of
from rerank.knowledge.types import Profile, Statement
from rerank.summary import Count, Summary, summarise
from rerank.types import ChatModel, Deadline, Reply, Sampling
from rerank.verbs import Language

PROMPT = "extract-people"
FEWEST_EVENTS = 3
"""Of fewer nothing is asked: there is no taste to be seen in them."""


class Histories(Protocol):
    """What extraction needs of recall.library.BuildLibrary. Reads of the store: in threads without a loop."""

    def history(self, person: str, *, platform: str | None = None, as_of: int | None = None) -> History: ...

    def items(self, ids: Sequence[str]) -> list[Item]: ...

    def agreeing(self, person: str, platforms: Sequence[str]) -> list[frozenset[str]]:
        """Maximal sets of these platforms that may serve each other, largest first."""


@dataclass(frozen=True, slots=True)
class Part:
    """The part of one person's history that one question shows: that of platforms that may all serve each
    other, so that no statement and no call mixes what may never be shown together."""

    person: str
    number: int
    parts: int
    platforms: frozenset[str]
    events: int
    """How many it holds."""
    gone: bool = False
    """Whether a stored statement rests on an event that it does not hold."""


@dataclass(frozen=True)
class Reading:
    """How a history is shown and asked about. `domain` names what the platforms offer; events on links below
    `floor` are not shown; `as_of` (None: now) is when the reading takes place, in UTC seconds."""

    language: Language = "en"
    domain: str = "items"
    max_tokens: int = 300
    summary_tokens: int = 800
    floor: float = 0.5
    title_chars: int = 120
    as_of: int | None = None
    prompt: str = PROMPT

    @property
    def worded(self) -> Prompt:
        return load(self.prompt, language=self.language, domain=self.domain)

    async def shown(self, history: History, items: Mapping[str, Item], count: Count | None) -> Summary:
        """The lines that a model sees of a history; `items` are those of its events."""
        return await summarise(
            history,
            items,
            platform=None,
            now=int(time.time()) if self.as_of is None else self.as_of,
            budget_tokens=self.summary_tokens,
            count=count,
            floor=self.floor,
            language=self.language,
            title_chars=self.title_chars,
        )

    def question(self, shown: Summary, person: str | None) -> Question:
        rendered = self.worded.render(history=shown.text, platform="")
        return Question(messages_of(rendered), STATEMENTS_SCHEMA, self.max_tokens, person)

    def read(
        self, reply: str, shown: Summary, items: Mapping[str, Item]
    ) -> Found[tuple[Statement, ...]] | None:
        return parse_statements(reply, shown, items, self.worded)


async def profile_of(
    model: ChatModel, history: History, items: Mapping[str, Item], reading: Reading, deadline: Deadline
) -> Profile | None:
    """One history read now, without a store: for evaluations, where nothing may be known of what comes later.

    None where there is nothing to ask about or the reply can't be read. ModelError where there is none.
    """
    shown = await reading.shown(history, items, model.count)
    if len(history.events) < FEWEST_EVENTS or not shown.lines:
        return None
    asked = reading.question(shown, history.person)
    sampling = Sampling(asked.max_tokens)
    reply = await model.chat(asked.messages, sampling=sampling, deadline=deadline, schema=asked.schema)
    found = reading.read(reply.text, shown, items)
    if found is None:
        return None
    when = int(time.time()) if reading.as_of is None else reading.as_of
    return Profile(history.person or "", found.value, reply.model, reading.worded.hash, when)


@dataclass(frozen=True)
class People:
    """Extraction of people: makes subjects of persons, and is what the runner asks, reads and saves with.

    `count` counts tokens as the model does; `cited` are the events that stored statements rest on, by subject
    (rerank.knowledge.store.cited_events).
    """

    store: Store
    library: Histories
    reading: Reading = Reading()
    count: Count | None = None
    cited: Mapping[str, frozenset[str]] = field(default_factory=dict)
    refresh_events: int = 5
    _shown: dict[str, tuple[Summary, dict[str, Item]]] = field(default_factory=dict, repr=False)

    def subjects(self, persons: Iterable[str]) -> Iterator[Subject[Part]]:
        """One for each part of each person, in their order; none of a person who is not known any more.

        Reads histories: call it in a thread that runs no event loop.
        """
        asked = self.reading.worded.hash
        for person in persons:
            try:
                events = self.library.history(person).events
            except NotFound:
                continue
            groups = self.library.agreeing(person, sorted({event.platform for event in events}))[:MOST_PARTS]
            for number, platforms in enumerate(groups):
                ids = frozenset(event.id for event in events if event.platform in platforms)
                subject = part_of(person, number)
                gone = not ids.issuperset(self.cited.get(subject, ()))
                part = Part(person, number, len(groups), platforms, len(ids), gone)
                yield Subject(subject, _input(part), asked, part)

    def due(self, earlier: Extraction | None, subject: Subject[Part], model: str) -> bool:
        """Whether a part is new, its platforms, the prompt or the model changed, `refresh_events` came in
        since, or an event is gone that a statement rests on."""
        if earlier is None or (earlier.prompt_hash, earlier.model) != (subject.prompt_hash, model):
            return True
        before, _, platforms = earlier.input_hash.partition("-")
        if platforms != subject.input_hash.partition("-")[2] or not before.isdigit():
            return True
        fresh = subject.what.events - int(before)
        return subject.what.gone or fresh < 0 or fresh >= self.refresh_events

    async def ask(self, subject: Subject[Part]) -> Question | None:
        part = subject.what
        if part.events < FEWEST_EVENTS:
            return None
        try:
            history, items = await asyncio.to_thread(self._read, part)
        except NotFound:  # erased meanwhile: what is saved then is refused
            return None
        shown = await self.reading.shown(history, items, self.count)
        if not shown.lines:
            return None
        self._shown[subject.id] = shown, items
        return self.reading.question(shown, part.person)

    def read(self, subject: Subject[Part], reply: Reply) -> Found[tuple[Statement, ...]] | None:
        return self.reading.read(reply.text, *self._shown[subject.id])

    async def save(self, group: Sequence[Ended[Part, tuple[Statement, ...]]]) -> list[bool]:
        async with self.store.write() as connection:
            return [await self._save(*one, connection) for one in group]

    async def _save(
        self, settled: Settled[Part], found: Found[tuple[Statement, ...]] | None, within: AsyncConnection
    ) -> bool:
        one, part, since = settled.subject, settled.subject.what, settled.began
        self._shown.pop(one.id, None)
        if found is None:
            return await save_damaged(self.store, "person", settled.extraction(), since=since, within=within)
        return await save_profile(
            self.store,
            Profile(part.person, found.value, settled.served, one.prompt_hash, since),
            one.input_hash,
            one.prompt_hash,
            settled.model,
            dropped=found.dropped,
            attempts=settled.calls,
            part=part.number,
            parts=part.parts,
            within=within,
        )

    def empty(self) -> Found[tuple[Statement, ...]]:
        """What is found where nothing is asked."""
        return Found(())

    def _read(self, part: Part) -> tuple[History, dict[str, Item]]:
        whole = self.library.history(part.person)
        events = tuple(event for event in whole.events if event.platform in part.platforms)
        return History(part.person, events), _items(self.library.items, events)


def _items(items: Callable[[Sequence[str]], list[Item]], events: Sequence[Event]) -> dict[str, Item]:
    ids = list(dict.fromkeys(event.item for event in events))
    return dict(zip(ids, items(ids), strict=True))


def _input(part: Part) -> str:
    """How many events were read, and of which platforms: 'COUNT-HASH'."""
    return f"{part.events}-{hashlib.sha256(' '.join(sorted(part.platforms)).encode()).hexdigest()[:16]}"
