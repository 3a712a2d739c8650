"""Facts, statements and what was extracted, in the store. Erasure by person id is here too."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from recall.store import Store
from recall.store.events import ERASURE_LOCK
from recall.store.tombstones import PERSONS, buried
from rerank.knowledge.tables import EXTRACTIONS, FACTS, STATEMENTS, WRITES
from rerank.knowledge.types import OPEN, Fact, Profile, Statement

Kind = Literal["item", "person"]

PART, MOST_PARTS = 1000, 32
"""A person whose platforms do not all consent to each other is read about in parts: numbers of the statements
of one part, and parts at most."""

_BATCH = 400  # ids per statement: SQLite takes at most 32,766 parameters, PostgreSQL 32,767


@dataclass(frozen=True, slots=True)
class Extraction:
    """How one item or person was settled. `model`: the one asked for; `dropped` counts by cause."""

    subject: str
    input_hash: str
    prompt_hash: str
    model: str
    status: Literal["done", "damaged"] = "done"
    attempts: int = 1
    dropped: Mapping[str, int] = field(default_factory=dict)
    time: int = 0
    """UTC seconds; 0: now."""


async def save_facts(
    store: Store,
    item: str,
    input_hash: str,
    prompt_hash: str,
    model: str,
    facts: Sequence[Fact],
    *,
    dropped: Mapping[str, int] | None = None,
    attempts: int = 1,
    within: AsyncConnection | None = None,
) -> None:
    """Put these facts in the place of the item's earlier ones, in a transaction, or as a part of `within`."""
    settled = Extraction(item, input_hash, prompt_hash, model, "done", attempts, dropped or {})
    rows = {(fact.kind, fact.value): _fact_row(item, fact) for fact in facts}
    async with store.write(within) as connection:
        await connection.execute(delete(FACTS).where(FACTS.c.item == item))
        if rows:
            await connection.execute(insert(FACTS), list(rows.values()))
        await _settle(store, connection, "item", settled)


def part_of(person: str, part: int) -> str:
    """The subject under which a part of a person is settled; the first is the person himself."""
    return person if part == 0 else f"{person}/{part}"


def whose(subject: str) -> tuple[str, int]:
    """Person and part of such a subject."""
    person, _, part = subject.partition("/")
    return person, int(part or 0)


async def save_profile(
    store: Store,
    profile: Profile,
    input_hash: str,
    prompt_hash: str | None = None,
    model: str | None = None,
    *,
    dropped: Mapping[str, int] | None = None,
    attempts: int = 1,
    part: int = 0,
    parts: int = 1,
    within: AsyncConnection | None = None,
) -> bool:
    """Put this profile in the place of the person's earlier one, in a transaction, or as a part of `within`.
    Of a person with several parts only the statements of `part` are replaced, and those of parts that are no
    more are removed.

    False, and nothing is kept, where the person was erased at `profile.time`, which is when his history was
    read, or later. `prompt_hash` and `model` are those of the extraction, if they are not the profile's own.
    """
    settled = Extraction(
        part_of(profile.person, part),
        input_hash,
        prompt_hash or profile.prompt_hash,
        model or profile.model,
        "done",
        attempts,
        dropped or {},
    )
    rows = [
        _statement_row(profile, number, one) for number, one in enumerate(profile.statements, part * PART)
    ]
    gone = [part_of(profile.person, number) for number in range(parts, MOST_PARTS)]
    async with store.write(within) as connection:
        if await _erased(store, connection, profile.person, profile.time):
            return False
        await connection.execute(delete(STATEMENTS).where(_statements_of(profile.person, part)))
        after = (STATEMENTS.c.person == profile.person) & (STATEMENTS.c.number >= parts * PART)
        await connection.execute(delete(STATEMENTS).where(after))
        settled_once = (EXTRACTIONS.c.kind == "person") & EXTRACTIONS.c.subject.in_(gone)
        await connection.execute(delete(EXTRACTIONS).where(settled_once))
        if rows:
            await connection.execute(insert(STATEMENTS), rows)
        await _settle(store, connection, "person", settled)
    return True


async def save_damaged(
    store: Store, kind: Kind, settled: Extraction, *, since: int, within: AsyncConnection | None = None
) -> bool:
    """Note that no reply about this subject could be read; what an earlier extraction of the same input found
    stays, what one of another input found goes. False where the person was erased after `since`."""
    mine = (EXTRACTIONS.c.kind == kind) & (EXTRACTIONS.c.subject == settled.subject)
    said = delete(FACTS).where(FACTS.c.item == settled.subject)
    if kind == "person":
        said = delete(STATEMENTS).where(_statements_of(*whose(settled.subject)))
    async with store.write(within) as connection:
        if kind == "person" and await _erased(store, connection, whose(settled.subject)[0], since):
            return False
        before = (await connection.execute(select(EXTRACTIONS.c.input).where(mine))).scalar()
        if before != settled.input_hash:
            await connection.execute(said)
        await _settle(store, connection, kind, settled)
    return True


async def load_facts(
    store: Store, items: Sequence[str] | None = None, *, open_world: bool = True, floor: float = 0.0
) -> dict[str, tuple[Fact, ...]]:
    """Facts by item, surest first; items without any are left out. `items` None: of all.

    Without `open_world` only what the item's own text states; none below `floor` confidence.
    """
    wanted = select(FACTS).where(FACTS.c.confidence >= floor)
    if not open_world:
        wanted = wanted.where(FACTS.c.source != OPEN)
    wanted = wanted.order_by(FACTS.c.item, FACTS.c.confidence.desc(), FACTS.c.kind, FACTS.c.value)
    found: dict[str, list[Fact]] = {}
    async with store.read() as connection:
        for some in _parts(items):
            rows = wanted if some is None else wanted.where(FACTS.c.item.in_(some))
            for row in await connection.execute(rows):
                found.setdefault(row.item, []).append(
                    Fact(
                        row.item,
                        row.kind,
                        row.value,
                        row.confidence,
                        row.source,
                        row.model,
                        row.prompt,
                        row.time,
                    )
                )
    return {item: tuple(facts) for item, facts in found.items()}


async def load_profile(store: Store, person: str) -> Profile | None:
    """None where none was extracted, or one without a statement."""
    mine = select(STATEMENTS).where(STATEMENTS.c.person == person).order_by(STATEMENTS.c.number)
    async with store.read() as connection:
        rows = (await connection.execute(mine)).all()
    if not rows:
        return None
    statements = tuple(
        Statement(row.kind, row.text, tuple(json.loads(row.events)), row.confidence, row.platform)
        for row in rows
    )
    return Profile(person, statements, rows[0].model, rows[0].prompt, rows[0].time)


async def extracted(store: Store, kind: Kind, subjects: Sequence[str] | None = None) -> dict[str, Extraction]:
    """What was settled, by subject; `subjects` None: all."""
    wanted = select(EXTRACTIONS).where(EXTRACTIONS.c.kind == kind).order_by(EXTRACTIONS.c.subject)
    found: dict[str, Extraction] = {}
    async with store.read() as connection:
        for some in _parts(subjects):
            rows = wanted if some is None else wanted.where(EXTRACTIONS.c.subject.in_(some))
            for row in await connection.execute(rows):
                found[row.subject] = Extraction(
                    row.subject,
                    row.input,
                    row.prompt,
                    row.model,
                    cast(Literal["done", "damaged"], row.status),
                    row.attempts,
                    json.loads(row.dropped),
                    row.time,
                )
    return found


async def forget_person(store: Store, ids: Sequence[str]) -> int:
    """Remove statements and extractions of these person ids; returns the rows removed.

    Hide the person first (recall.store.erasure): an extraction under way then saves nothing any more.
    """
    async with store.write() as connection:
        if not store.sqlite:  # waits for a save that looked before the tombstone was there
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({ERASURE_LOCK})"))
        return await _forget(store, connection, "person", ids)


async def forget_items(store: Store, items: Sequence[str] | None = None) -> int:
    """Remove facts and extractions of these items, None: of all; returns the rows removed."""
    async with store.write() as connection:
        return await _forget(store, connection, "item", items)


async def forget_people(store: Store) -> int:
    """Remove every person's statements and extractions; returns the rows removed."""
    async with store.write() as connection:
        return await _forget(store, connection, "person", None)


def changed(store: Store) -> int | None:
    """How often knowledge was written or removed, by whichever process: asked in microseconds, from any
    thread. None where that can't be told without waiting: on PostgreSQL (`count_writes` tells it there), or
    while the file does not answer."""
    row = store.peek("SELECT coalesce(sum(count), 0) FROM knowledge_writes")
    return None if row is None else int(row[0])


async def count_writes(store: Store) -> int:
    """The same on every database."""
    async with store.read() as connection:
        return int(
            (await connection.execute(select(func.coalesce(func.sum(WRITES.c.count), 0)))).scalar_one()
        )


async def cited_events(store: Store) -> dict[str, frozenset[str]]:
    """Ids of the events that a person's statements rest on, by the subject that they were settled under."""
    wanted = select(STATEMENTS.c.person, STATEMENTS.c.number, STATEMENTS.c.events)
    found: dict[str, set[str]] = {}
    async with store.read() as connection:
        for row in await connection.execute(wanted):
            found.setdefault(part_of(row.person, row.number // PART), set()).update(json.loads(row.events))
    return {subject: frozenset(events) for subject, events in found.items()}


def _statements_of(person: str, part: int) -> ColumnElement[bool]:
    first = part * PART
    return (STATEMENTS.c.person == person) & STATEMENTS.c.number.between(first, first + PART - 1)


async def _settle(store: Store, connection: AsyncConnection, kind: Kind, one: Extraction) -> None:
    put = store.insert(EXTRACTIONS)
    columns = ("input", "prompt", "model", "status", "attempts", "dropped", "time")
    row = {
        "kind": kind,
        "subject": one.subject,
        "input": one.input_hash,
        "prompt": one.prompt_hash,
        "model": one.model,
        "status": one.status,
        "attempts": one.attempts,
        "dropped": json.dumps(dict(one.dropped), sort_keys=True),
        "time": one.time or int(time.time()),
    }
    statement = put.on_conflict_do_update(
        index_elements=["kind", "subject"], set_={name: put.excluded[name] for name in columns}
    )
    await connection.execute(statement, row)
    await _count(store, connection, kind)


async def _count(store: Store, connection: AsyncConnection, kind: Kind) -> None:
    statement = store.insert(WRITES).on_conflict_do_update(
        index_elements=["kind"], set_={"count": WRITES.c.count + 1}
    )
    await connection.execute(statement, {"kind": kind, "count": 1})


async def _forget(store: Store, connection: AsyncConnection, kind: Kind, ids: Sequence[str] | None) -> int:
    table, column = (FACTS, FACTS.c.item) if kind == "item" else (STATEMENTS, STATEMENTS.c.person)
    removed = 0
    for some in _parts(ids):
        said, settled = delete(table), delete(EXTRACTIONS).where(EXTRACTIONS.c.kind == kind)
        if some is not None:
            subject = EXTRACTIONS.c.subject
            parts = [subject.startswith(f"{id}/", autoescape=True) for id in some if kind == "person"]
            said, settled = said.where(column.in_(some)), settled.where(or_(subject.in_(some), *parts))
        for statement in (said, settled):
            removed += (await connection.execute(statement)).rowcount
    if removed:
        await _count(store, connection, kind)
    return removed


async def _erased(store: Store, connection: AsyncConnection, person: str, since: int) -> bool:
    if not store.sqlite:  # SQLite has one writer at a time
        await connection.execute(text(f"SELECT pg_advisory_xact_lock_shared({ERASURE_LOCK})"))
    account = (PERSONS, person)
    return (await buried(connection, [account])).get(account, -1) >= since


def _parts(ids: Sequence[str] | None) -> Iterator[list[str] | None]:
    """Batches of ids; once None for all."""
    if ids is None:
        yield None
        return
    unique = list(dict.fromkeys(ids))
    for start in range(0, len(unique), _BATCH):
        yield unique[start : start + _BATCH]


def _fact_row(item: str, fact: Fact) -> dict[str, Any]:
    return {
        "item": item,
        "kind": fact.kind,
        "value": fact.value,
        "confidence": fact.confidence,
        "source": fact.source,
        "model": fact.model,
        "prompt": fact.prompt_hash,
        "time": fact.time,
    }


def _statement_row(profile: Profile, number: int, one: Statement) -> dict[str, Any]:
    return {
        "person": profile.person,
        "number": number,
        "kind": one.kind,
        "text": one.text,
        "events": json.dumps(one.events),
        "platform": one.platform,
        "confidence": one.confidence,
        "model": profile.model,
        "prompt": profile.prompt_hash,
        "time": profile.time,
    }
