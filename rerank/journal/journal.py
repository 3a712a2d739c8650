"""What was served to whom, and what came back on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from recall.errors import NotFound
from recall.store import Store
from rerank.aliases import known_as
from rerank.groups import Groups, Ticket
from rerank.journal.rows import (
    Feedback,
    Row,
    Served,
    feedback_row,
    items_of,
    read_served,
    served_row,
)
from rerank.journal.tables import FEEDBACK, SERVED
from rerank.types import Recommendation

GATHER_SECONDS = 0.05
"""An answer that nobody waits for is written so much later, with those that came meanwhile."""

_BATCH = 400  # ids per statement: SQLite takes at most 32,766 parameters, PostgreSQL 32,767


@dataclass(slots=True)
class _Answer:
    """An answer to be written; its rows are made in a thread, off the hot path."""

    recommendation: Recommendation
    more: Row


@dataclass(slots=True)
class _Said:
    feedback: Feedback
    new: bool = False
    unknown: str | None = None
    """Set by the transaction: why this feedback belongs to nothing."""


@dataclass
class Journal:
    """Belongs to one event loop. `write` costs the caller a queue entry; a group commit makes it durable.

    What was queued when a process is killed is lost, so whoever acknowledges something waits: `feedback`
    returns only when it and the answer it speaks of are durable.
    """

    store: Store
    _pending: dict[str, Ticket[_Answer | _Said]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._groups: Groups[_Answer | _Said] = Groups(
            self._commit, self._gone, name="journal", pause=GATHER_SECONDS
        )

    @classmethod
    @asynccontextmanager
    async def open(cls, store: Store) -> AsyncIterator[Journal]:
        """Writes what is queued before it closes; the store stays open."""
        journal = cls(store)
        try:
            yield journal
        finally:
            await journal.aclose()

    async def aclose(self) -> None:
        await self._groups.aclose()

    @property
    def lost(self) -> int:
        """Entries dropped because the store took none for too long."""
        return self._groups.lost

    def write(
        self,
        recommendation: Recommendation,
        *,
        scenario: str | None = None,
        experiment: str | None = None,
        arm: str | None = None,
        propensity: float = 1.0,
        now: int | None = None,
    ) -> None:
        """Queue an answer. Written twice, the first one counts."""
        more = {
            "time": int(time.time()) if now is None else now,
            "scenario": scenario,
            "experiment": experiment,
            "arm": arm,
            "propensity": propensity,
        }
        self._pending[recommendation.id] = self._groups.add(_Answer(recommendation, more))

    async def durable(self, id: str) -> None:
        """Wait until the answer is in the store. NotFound for one that was never written; StoreError."""
        if (ticket := self._pending.get(id)) is not None:
            await ticket.wait()
            return
        async with self.store.read() as connection:
            if (await connection.execute(select(SERVED.c.id).where(SERVED.c.id == id))).first() is None:
                raise _unknown(id)

    async def feedback(self, feedback: Feedback) -> bool:
        """Keep feedback, durable on return; False when this id was there already.

        NotFound when the answer is unknown, was forgotten, or did not hold the item.
        """
        said = _Said(feedback)
        await self._groups.add(said).wait()  # behind its answer in the queue
        if said.unknown:
            raise NotFound(said.unknown)
        return said.new

    async def read(self, id: str) -> Served:
        """One answer with its items and feedback; NotFound."""
        if (ticket := self._pending.get(id)) is not None:
            await ticket.wait()
        async with self.store.read() as connection:
            found = await _served(connection, [id])
        if not found:
            raise _unknown(id)
        return found[0]

    async def export(self, person: str) -> list[Served]:
        """Everything served to a person, under every id that he had, oldest first."""
        await self.flush()
        async with self.store.read() as connection:
            return await _served(connection, await _ids(connection, person))

    async def forget(self, person: str) -> int:
        """Erase everything served to a person and his feedback; the number of answers erased."""
        await self.flush()
        async with self.store.write() as connection:
            ids = await _ids(connection, person)
            for start in range(0, len(ids), _BATCH):
                some = ids[start : start + _BATCH]
                for column in (FEEDBACK.c.served, SERVED.c.id):
                    await connection.execute(delete(column.table).where(column.in_(some)))
        return len(ids)

    async def flush(self) -> None:
        """Wait until everything written so far is durable; StoreError when an attempt failed."""
        await self._groups.flush()

    def _gone(self, entry: _Answer | _Said) -> None:
        if isinstance(entry, _Answer):
            self._pending.pop(entry.recommendation.id, None)

    async def _commit(self, entries: list[_Answer | _Said]) -> None:
        answers = [entry for entry in entries if isinstance(entry, _Answer)]
        said = [entry for entry in entries if isinstance(entry, _Said)]
        rows = await asyncio.to_thread(
            lambda: [served_row(answer.recommendation) | answer.more for answer in answers]
        )
        async with self.store.write() as connection:
            if rows:
                await connection.execute(self.store.insert(SERVED).on_conflict_do_nothing(), rows)
            if said:
                await self._keep(connection, said)

    async def _keep(self, connection: AsyncConnection, said: Sequence[_Said]) -> None:
        served = sorted({entry.feedback.served for entry in said})
        known: set[str] = set()
        places: set[tuple[str, str]] = set()
        for start in range(0, len(served), _BATCH):
            some = served[start : start + _BATCH]
            # PostgreSQL: nobody may erase these answers before their feedback is in.
            kept = select(SERVED.c.id, SERVED.c["items"]).where(SERVED.c.id.in_(some))
            for row in await connection.execute(kept.with_for_update(read=True, key_share=True)):
                known.add(row.id)
                places |= {(row.id, item) for item in items_of(row)}
        good = []
        for entry in said:
            one = entry.feedback
            if one.served not in known:
                entry.unknown = str(_unknown(one.served))
            elif (one.served, one.item) not in places:
                entry.unknown = (
                    f"recommendation {one.served!r} did not hold item {one.item!r}: name one of its items"
                )
            else:
                good.append(entry)
        if not good:
            return
        insert = self.store.insert(FEEDBACK).on_conflict_do_nothing().returning(FEEDBACK.c.id)
        added = set(
            (await connection.execute(insert, [feedback_row(one.feedback) for one in good])).scalars()
        )
        for entry in good:
            entry.new = entry.feedback.id in added
            added.discard(entry.feedback.id)


def _unknown(id: str) -> NotFound:
    return NotFound(f"recommendation {id!r} is not in the journal: use the id of an answer that was kept")


async def _ids(connection: AsyncConnection, person: str) -> list[str]:
    people = await known_as(connection, person)
    mine = select(SERVED.c.id).where(SERVED.c.person.in_(people)).order_by(SERVED.c.time, SERVED.c.id)
    return list((await connection.execute(mine)).scalars())


async def _served(connection: AsyncConnection, ids: Sequence[str]) -> list[Served]:
    """In the order of `ids`; unknown ones are left out."""
    found: list[Served] = []
    for start in range(0, len(ids), _BATCH):
        some = ids[start : start + _BATCH]
        heads = {row.id: row for row in await connection.execute(select(SERVED).where(SERVED.c.id.in_(some)))}
        said: dict[str, list[Any]] = {}
        back = select(FEEDBACK).where(FEEDBACK.c.served.in_(some)).order_by(FEEDBACK.c.time, FEEDBACK.c.id)
        for row in await connection.execute(back):
            said.setdefault(row.served, []).append(row)
        found += [read_served(heads[id], said.get(id, ())) for id in some if id in heads]
    return found
