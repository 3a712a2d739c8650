"""One batch of extractions: what is new or changed is asked about, and each subject is saved once settled.

A run may end at any moment: what was settled is in the store, and the next run asks for the rest. A killed
process loses at most what was under way.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from recall.errors import ConfigError, ModelError, StoreError
from rerank.groups import of_the_entry
from rerank.knowledge.store import Extraction
from rerank.knowledge.subjects import Ended, Found, Question, S, Settled, Subject, V
from rerank.llm.asker import Asker, bound
from rerank.llm.budget import CHARACTERS_PER_TOKEN, UNBILLED
from rerank.llm.estimate import estimate_tokens
from rerank.llm.prices import Price
from rerank.types import Cause, ChatModel, Deadline, Reply, Sampling, Usage

TRIES = 3
"""Calls for one subject at most: a damaged reply is asked for twice more, with another seed."""

FAILURES = 5
"""Failed calls in a row, over all subjects, after which the run stops."""

FIRST_WAIT = 1.0
"""Seconds after a failed call, doubled with each further one."""

DAMAGED = frozenset({Cause.TRUNCATED, Cause.UNPARSABLE, Cause.BAD_REPLY})
"""Failures that are a reply nobody can read."""

FINAL = frozenset({Cause.UNSUPPORTED, Cause.NO_MODEL})
"""Failures that every subject will meet."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take; None is no limit. Money needs `prices` (rerank/llm/prices.py)."""

    cost: float | None = None
    minutes: float | None = None
    subjects: int | None = None
    """Asked about at most; those that are skipped do not count."""
    seconds: float = 120.0
    """For one call."""


@dataclass(slots=True)
class Report:
    """How far a run came; grows while it runs."""

    done: int = 0
    skipped: int = 0
    """As they were read before."""
    damaged: int = 0
    """Replies that nobody could read; each was asked for again, up to TRIES."""
    given_up: int = 0
    """Subjects of which every reply was damaged: not asked about again until they change."""
    failed: int = 0
    """Subjects without a reply: the next run asks again."""
    erased: int = 0
    """Persons who were erased while they were read about: nothing is kept."""
    dropped: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    """None without a price."""
    seconds: float = 0.0
    stopped: str | None = None
    """Why it ended early; None: every subject was seen."""

    @property
    def tokens(self) -> int:
        return self.usage.prompt + self.usage.completion


Ask = Callable[[Subject[S]], Awaitable[Question | None]]
"""The question about a subject; None where there is nothing to ask about: `empty` is saved then."""

Read = Callable[[Subject[S], Reply], "Found[V] | None"]
"""What a reply says; None: it is damaged. Untrusted: never raises, whatever the text."""

Save = Callable[[Sequence[Ended[S, V]]], Awaitable[list[bool]]]
"""Keeps what was found of each (None: TRIES replies were damaged) in one transaction, durable on return;
False for a person who was erased."""


def unread(earlier: Extraction | None, subject: Subject[Any], model: str) -> bool:
    """Whether a subject is new or changed, or is asked of another prompt or model than before."""
    said = (subject.input_hash, subject.prompt_hash, model)
    return earlier is None or (earlier.input_hash, earlier.prompt_hash, earlier.model) != said


async def run(
    subjects: Iterable[Subject[S]],
    ask: Ask[S],
    read: Read[S, V],
    save: Save[S, V],
    *,
    model: ChatModel,
    earlier: Mapping[str, Extraction],
    due: Callable[[Extraction | None, Subject[S], str], bool] = unread,
    empty: Callable[[], Found[V]] | None = None,
    concurrency: int = 4,
    limits: Limits | None = None,
    prices: Mapping[str, Price] | None = None,
    again: bool = False,
    stop: asyncio.Event | None = None,
    progress: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Ask about every subject that is `due` and save what comes of it; never raises for a single subject.

    `subjects` are drawn in a thread, as they are needed. `earlier` is what was settled before
    (store.extracted). `again` asks once more about subjects that were given up. `empty` is what is found
    where `ask` has no question. `stop`, once set, ends the run: calls under way are cancelled, what is being
    saved is saved. ModelError when the model does not answer at all; ConfigError when money is limited and
    the model has no price.
    """
    limits = limits or Limits()
    name = (await model.capabilities(Deadline.after(limits.seconds))).model
    batch = _Batch(ask, read, save, empty, model, name, limits, prices or {}, progress)
    todo = _todo(subjects, earlier, due, again, name, limits.subjects, batch.report)
    workers = [asyncio.create_task(batch.work(todo), name="whyrec-extract") for _ in range(concurrency)]
    ended: asyncio.Future[Any] = asyncio.gather(*workers)
    stopping: asyncio.Future[Any] = asyncio.ensure_future((stop or asyncio.Event()).wait())
    try:
        await asyncio.wait([ended, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            batch.report.stopped = "interrupted"
        else:
            ended.result()
    finally:
        stopping.cancel()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await batch.saved()
        batch.report.seconds = time.monotonic() - batch.start
    progress(batch.report)
    return batch.report


def _todo(
    subjects: Iterable[Subject[S]],
    earlier: Mapping[str, Extraction],
    due: Callable[[Extraction | None, Subject[S], str], bool],
    again: bool,
    model: str,
    most: int | None,
    report: Report,
) -> Iterator[Subject[S]]:
    taken = 0
    for subject in subjects:
        if report.stopped:
            return
        before = earlier.get(subject.id)
        retry = again and before is not None and before.status == "damaged"
        if not retry and not due(before, subject, model):
            report.skipped += 1
        elif most is not None and taken >= most:
            report.stopped = report.stopped or f"the limit of {most} was reached"
            return
        else:
            taken += 1
            yield subject


class _Stop(Exception):
    pass


class _Batch(Generic[S, V]):
    def __init__(
        self,
        ask: Ask[S],
        read: Read[S, V],
        save: Save[S, V],
        empty: Callable[[], Found[V]] | None,
        model: ChatModel,
        name: str,
        limits: Limits,
        prices: Mapping[str, Price],
        progress: Callable[[Report], None],
    ) -> None:
        self._ask, self._read, self._save, self._empty = ask, read, save, empty
        self._model, self._name, self._limits, self._progress = model, name, limits, progress
        self._prices = prices
        self._price = prices.get(name)
        if limits.cost is not None and self._price is None:
            raise ConfigError(f"{name}: no price, so its cost can't be limited; add it to [budget] prices")
        self.start = time.monotonic()
        self.report = Report(cost=None if self._price is None else 0.0)
        self._end = None if limits.minutes is None else self.start + 60 * limits.minutes
        self._held = 0.0
        """Money of calls under way, at most."""
        self._failures = 0
        self._turn, self._writing = asyncio.Lock(), asyncio.Lock()
        self._saving: set[asyncio.Future[bool]] = set()
        self._pending: list[tuple[Ended[S, V], asyncio.Future[bool]]] = []

    async def work(self, todo: Iterator[Subject[S]]) -> None:
        """Settle one subject after the other until there are no more, or a limit is reached."""
        while (subject := await self._next(todo)) is not None:
            try:
                await self._settle(subject)
            except _Stop as stop:
                self.report.stopped = self.report.stopped or str(stop)
                return
            self._progress(self.report)

    async def _next(self, todo: Iterator[Subject[S]]) -> Subject[S] | None:
        """In a thread: making subjects reads items and hashes them."""
        async with self._turn:
            return None if self.report.stopped else await asyncio.to_thread(next, todo, None)

    async def saved(self) -> None:
        await asyncio.gather(*self._saving, return_exceptions=True)

    async def _settle(self, subject: Subject[S]) -> None:
        began = int(time.time())
        question = await self._ask(subject)
        if question is None:
            if self._empty is not None:
                await self._keep(Settled(subject, self._name, self._name, began, 0), self._empty())
            return
        calls, served = 0, self._name
        for attempt in range(TRIES):
            try:
                reply = await self._call(question, attempt)
            except ModelError as error:
                calls, cause = calls + 1, Cause(error.cause)
                if cause == Cause.CONTEXT:  # it will not fit the next time either
                    break
                if not await self._failed(cause, str(error), last=attempt == TRIES - 1):
                    return
                continue
            calls, served, self._failures = calls + 1, reply.model, 0
            found = self._read(subject, reply)
            if found is not None:
                await self._keep(Settled(subject, self._name, served, began, calls), found)
                return
            self.report.damaged += 1
        self.report.given_up += 1
        await self._keep(Settled(subject, self._name, served, began, calls), None)

    async def _failed(self, cause: Cause, message: str, *, last: bool) -> bool:
        """Whether the subject may still be settled. _Stop ends the run."""
        if cause == Cause.BUDGET:
            raise _Stop(f"the budget is spent: {message}")
        if self._end is not None and time.monotonic() >= self._end:
            raise _Stop(f"the {self._limits.minutes:g} minutes are over")
        if cause in DAMAGED:
            self.report.damaged += 1
            return True
        self._failures += 1
        if self._failures >= FAILURES or cause in FINAL:
            self.report.failed += 1
            raise _Stop(f"the model failed {self._failures} times in a row: {message}")
        if last or cause == Cause.BAD_REQUEST:
            self.report.failed += 1
            return False
        await asyncio.sleep(min(30.0, FIRST_WAIT * 2 ** (self._failures - 1)))
        return True

    async def _call(self, question: Question, attempt: int) -> Reply:
        left = None if self._end is None else self._end - time.monotonic()
        if left is not None and left <= 0:
            raise _Stop(f"the {self._limits.minutes:g} minutes are over")
        most = Usage(estimate_tokens(question.messages, CHARACTERS_PER_TOKEN), question.max_tokens)
        held = 0.0 if self._price is None else self._price.of(most)
        spent = (self.report.cost or 0.0) + self._held
        if self._limits.cost is not None and spent + held > self._limits.cost:
            raise _Stop(f"the next call might pass {self._limits.cost:g}; spent {self.report.cost:.4g}")
        self._held += held
        self.report.calls += 1
        usage, served = Usage(most.prompt), self._name
        # A model that is asked the same with the same seed would say the same.
        sampling = Sampling(question.max_tokens, 0.7 if attempt else 0.0, attempt)
        seconds = self._limits.seconds if left is None else min(self._limits.seconds, left)
        try:
            reply = await bound(self._model, Asker(question.person)).chat(
                question.messages, sampling=sampling, deadline=Deadline.after(seconds), schema=question.schema
            )
            # An endpoint that does not count is taken at its estimate.
            usage, served = reply.usage if reply.usage.prompt or reply.cached else most, reply.model
            return reply
        except ModelError as error:
            usage = Usage() if error.cause in UNBILLED else most if error.cause in DAMAGED else usage
            raise
        finally:
            self._held -= held
            self.report.usage += usage
            price = self._prices.get(served) or self._price
            if self.report.cost is not None and price is not None:
                self.report.cost += price.of(usage)

    async def _keep(self, settled: Settled[S], found: Found[V] | None) -> None:
        """Saves to its end, also when the run is stopped meanwhile."""
        saving = asyncio.ensure_future(self._write(settled, found))
        self._saving.add(saving)
        saving.add_done_callback(self._saving.discard)
        saving.add_done_callback(lambda ended: self._count(ended, found))
        await asyncio.shield(saving)

    async def _write(self, settled: Settled[S], found: Found[V] | None) -> bool:
        """Those that end while a transaction is under way share the next one: a commit waits for the disk."""
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pending.append(((settled, found), kept))
        # SQLite's waiting writers are served in no order: one of several could wait for too long.
        async with self._writing:
            if not kept.done():
                group, self._pending = self._pending, []
                await self._commit(group)
        return await kept

    async def _commit(self, group: Sequence[tuple[Ended[S, V], asyncio.Future[bool]]]) -> None:
        try:
            said = await self._save([ended for ended, _ in group])
        except Exception as error:
            if len(group) == 1 or (isinstance(error, StoreError) and not of_the_entry(error)):
                for _, kept in group:
                    kept.set_exception(error)
                return
            for one in group:  # what is wrong with one of them must not take the others along
                await self._commit([one])
        else:
            for (_, kept), saved in zip(group, said, strict=True):
                kept.set_result(saved)

    def _count(self, ended: asyncio.Future[bool], found: Found[V] | None) -> None:
        if ended.cancelled() or ended.exception() is not None:
            return
        if not ended.result():
            self.report.erased += 1
        elif found is not None:
            self.report.done += 1
            self.report.dropped.update(found.dropped)
