"""Batches of recommendations: kept in the store, worked off beside requests, taken up again after a crash.

A process takes a batch for a while (its lease) and writes each row as it is answered, so what a killed one
leaves is gone on with by any process. The answers themselves are in the journal.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select, update

from api.schemas.batches import BatchAnswer, BatchBody, BatchRow
from api.tables import BATCH_ROWS, BATCHES
from recall.errors import NotFound, WhyrecError
from recall.store import Store

if TYPE_CHECKING:
    from api.service import Service

LEASE_SECONDS = 30
LOOK_SECONDS = 2.0
"""How often a process looks for a batch that somebody else took in or left."""
AT_ONCE = 4
"""Rows of a batch that are asked at the same time."""
GROUP = 50
"""Rows between two writes."""

log = logging.getLogger("whyrec.batches")


class Batches:
    """The queue. One worker task per process; `wake` lets it look at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._name = uuid.uuid4().hex
        self._woken = asyncio.Event()

    async def add(self, body: BatchBody) -> str:
        """Take a batch in, durable on return; its id."""
        id, now = uuid.uuid4().hex, int(time.time())
        question = body.model_dump_json(exclude={"users"}, exclude_none=True)
        head = {"id": id, "question": question, "total": len(body.users), "created": now, "lease": 0}
        rows = [
            {"batch": id, "row": place, "platform": one.platform, "user": one.user}
            for place, one in enumerate(body.users)
        ]
        async with self._store.write() as connection:
            await connection.execute(insert(BATCHES), [head])
            await connection.execute(insert(BATCH_ROWS), rows)
        self._woken.set()
        return id

    async def read(self, id: str) -> BatchAnswer:
        """NotFound."""
        mine = BATCH_ROWS.c.batch == id
        counts = select(func.count(BATCH_ROWS.c.served), func.count(BATCH_ROWS.c.problem)).where(mine)
        async with self._store.read() as connection:
            head = (await connection.execute(select(BATCHES).where(BATCHES.c.id == id))).first()
            if head is None:
                raise NotFound(f"no batch {id!r}")
            served, failed = (await connection.execute(counts)).one()
        return BatchAnswer(
            id=id,
            state="running" if head.finished is None else "done",
            total=head.total,
            done=served + failed,
            failed=failed,
            created=head.created,
            finished=head.finished,
        )

    async def platforms(self, id: str) -> frozenset[str]:
        """Of the accounts that the batch asks for; those of erased persons are gone. NotFound."""
        await self.read(id)
        mine = select(BATCH_ROWS.c.platform).where(BATCH_ROWS.c.batch == id).distinct()
        async with self._store.read() as connection:
            return frozenset((await connection.execute(mine)).scalars())

    async def rows(self, id: str, *, after: int, limit: int) -> list[BatchRow]:
        """In order, from behind row `after`."""
        wanted = (BATCH_ROWS.c.batch == id) & (BATCH_ROWS.c.row > after)
        statement = select(BATCH_ROWS).where(wanted).order_by(BATCH_ROWS.c.row).limit(limit)
        async with self._store.read() as connection:
            found = (await connection.execute(statement)).all()
        return [
            BatchRow(
                row=one.row,
                platform=one.platform,
                user=one.user,
                recommendation=one.served,
                problem=one.problem,
            )
            for one in found
        ]

    async def remove(self, id: str) -> None:
        """The batch and its rows; one under way ends. The answers stay in the journal."""
        async with self._store.write() as connection:
            await connection.execute(delete(BATCH_ROWS).where(BATCH_ROWS.c.batch == id))
            await connection.execute(delete(BATCHES).where(BATCHES.c.id == id))

    async def forget(self, accounts: Sequence[tuple[str, str]]) -> int:
        """Remove the rows of these accounts; batches count fewer rows then."""
        removed = 0
        async with self._store.write() as connection:
            for platform, user in accounts:
                mine = (BATCH_ROWS.c.platform == platform) & (BATCH_ROWS.c.user == user)
                removed += (await connection.execute(delete(BATCH_ROWS).where(mine))).rowcount
        return removed

    async def work(self, service: Service) -> None:
        """Until it is cancelled."""
        while True:
            try:
                if (taken := await self._take()) is not None:
                    await self._through(service, *taken)
                    continue
            except WhyrecError as error:
                log.error("batches: %s: %s", type(error).__name__, error)
            self._woken.clear()
            try:
                await asyncio.wait_for(self._woken.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue

    async def _take(self) -> tuple[str, str] | None:
        """The oldest batch that nobody is at: id and question."""
        now = int(time.time())
        free = BATCHES.c.finished.is_(None) & or_(BATCHES.c.worker.is_(None), BATCHES.c.lease < now)
        oldest = select(BATCHES.c.id, BATCHES.c.question).where(free).order_by(BATCHES.c.created).limit(1)
        async with self._store.read() as connection:
            found = (await connection.execute(oldest)).first()
        if found is None:
            return None
        claim = update(BATCHES).where((BATCHES.c.id == found.id) & free)
        async with self._store.write() as connection:
            taken = await connection.execute(claim.values(worker=self._name, lease=now + LEASE_SECONDS))
        return (found.id, found.question) if taken.rowcount else None

    async def _through(self, service: Service, id: str, question: str) -> None:
        """All rows that are left; ends early where the batch was removed or somebody else has it."""
        last = -1
        while True:
            open_ = BATCH_ROWS.c.served.is_(None) & BATCH_ROWS.c.problem.is_(None)
            wanted = (BATCH_ROWS.c.batch == id) & (BATCH_ROWS.c.row > last) & open_
            statement = select(BATCH_ROWS).where(wanted).order_by(BATCH_ROWS.c.row).limit(GROUP)
            async with self._store.read() as connection:
                rows = (await connection.execute(statement)).all()
            if not rows:
                break
            last = rows[-1].row
            gate = asyncio.Semaphore(AT_ONCE)

            async def one(
                platform: str, user: str, gate: asyncio.Semaphore = gate
            ) -> tuple[str | None, str | None]:
                async with gate:
                    return await _answered(service, question, platform, user)

            asked = asyncio.gather(*(one(row.platform, row.user) for row in rows))
            answers = await self._while_leased(id, asked)
            if answers is None or not await self._write(id, rows, answers):
                return
        mine = (BATCHES.c.id == id) & (BATCHES.c.worker == self._name)
        async with self._store.write() as connection:
            await connection.execute(update(BATCHES).where(mine).values(finished=int(time.time())))

    async def _while_leased(
        self, id: str, work: asyncio.Future[list[tuple[str | None, str | None]]]
    ) -> list[tuple[str | None, str | None]] | None:
        """The work's result, the lease renewed beside it; None where it was lost."""
        try:
            while True:
                done, _ = await asyncio.wait({work}, timeout=LEASE_SECONDS / 3)
                if done:
                    return work.result()
                if not await self._renew(id):
                    return None
        finally:
            work.cancel()

    async def _renew(self, id: str) -> bool:
        mine = (BATCHES.c.id == id) & (BATCHES.c.worker == self._name)
        lease = int(time.time()) + LEASE_SECONDS
        async with self._store.write() as connection:
            return bool((await connection.execute(update(BATCHES).where(mine).values(lease=lease))).rowcount)

    async def _write(
        self,
        id: str,
        rows: Sequence[Any],
        answers: Sequence[tuple[str | None, str | None]],
    ) -> bool:
        if not await self._renew(id):
            return False
        async with self._store.write() as connection:
            for row, (served, problem) in zip(rows, answers, strict=True):
                mine = (BATCH_ROWS.c.batch == id) & (BATCH_ROWS.c.row == row.row)
                await connection.execute(
                    update(BATCH_ROWS).where(mine).values(served=served, problem=problem)
                )
        return True


@asynccontextmanager
async def working(service: Service) -> AsyncIterator[None]:
    """Works batches off while the block runs."""
    task = asyncio.create_task(service.batches.work(service))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _answered(
    service: Service, question: str, platform: str, user: str
) -> tuple[str | None, str | None]:
    """Id of the answer, or why there is none."""
    from api.asking import question_of
    from api.schemas import RecommendationBody

    body = RecommendationBody.model_validate(
        {**json.loads(question), "user": {"platform": platform, "user": user}}
    )
    try:
        person = await service.person(platform, user)
        asked = await question_of(service, body, person=person)
        found = await asked.answer(service)
        await service.journal.durable(found.id)
    except WhyrecError as error:
        return None, str(error)[:500]
    return found.id, None
