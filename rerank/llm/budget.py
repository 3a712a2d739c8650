"""Budgets of tokens and money: for each request, and for each day in the store, shared by all processes.

A call first takes what it may use at most: the estimated prompt and `max_tokens`. Once it has ended, what it
really used is put in its place. So the day's limit holds however many processes ask at once, and one that is
killed leaves too much counted rather than too little.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from recall.errors import ConfigError, ModelError, StoreError
from recall.store import Store
from rerank.llm.asker import Asker, bound
from rerank.llm.estimate import estimate_tokens
from rerank.llm.limits_config import BudgetConfig
from rerank.llm.prices import Price, load_prices
from rerank.llm.tables import SPENDING
from rerank.types import (
    Capabilities,
    Cause,
    ChatModel,
    Deadline,
    LabelScores,
    Message,
    Reply,
    Sampling,
    Usage,
)

CHARACTERS_PER_TOKEN = 3.0

UNBILLED = frozenset(
    {
        Cause.CONNECTION, Cause.RATE_LIMITED, Cause.BAD_REQUEST, Cause.UNSUPPORTED, Cause.CONTEXT,
        Cause.BREAKER_OPEN, Cause.BUDGET, Cause.NO_MODEL,
    }
)  # fmt: skip
"""Failures for which no endpoint asks money; after another one the prompt counts as used."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Bill:
    usage: Usage
    model: str


class Budget:
    """What may be spent. Without a store there is no day's limit."""

    def __init__(
        self,
        config: BudgetConfig,
        store: Store | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """ConfigError where the price file can't be read, or money is limited without one."""
        self._config, self._store, self._clock = config, store, clock
        self._prices: Mapping[str, Price] = load_prices(config.prices)
        self._settling: set[asyncio.Task[None]] = set()
        if config.counts_money and not self._prices:
            raise ConfigError("[budget] limits money, but names no price file with a model: set `prices`")

    @asynccontextmanager
    async def spend(self, asker: Asker, most: Usage, model: str) -> AsyncIterator[_Bill]:
        """Around one call. The bill is to be filled in; ModelError with Cause.BUDGET when a limit would be
        passed, a price is missing, or the store does not tell what is left of the day."""
        tokens, money = _tokens(most), self._money(most, model)
        self._check_request(asker, tokens, money)
        day = time.strftime("%Y-%m-%d", time.gmtime(self._clock()))
        await self._take(day, tokens, money)
        asker.tokens += tokens
        asker.money += money
        bill = _Bill(Usage(most.prompt), model)
        try:
            yield bill
        except ModelError as error:
            if error.cause in UNBILLED:
                bill.usage = Usage()
            raise
        finally:
            real = _tokens(bill.usage), self._money(bill.usage, bill.model, most_of=model)
            asker.tokens += real[0] - tokens
            asker.money += real[1] - money
            if self._daily and real != (tokens, money):
                work = self._correct(day, real[0] - tokens, real[1] - money)
                task = asyncio.get_running_loop().create_task(work, name="whyrec-budget")
                self._settling.add(task)
                task.add_done_callback(self._settling.discard)

    async def spent(self, day: str) -> tuple[int, float]:
        """Tokens and money of a day, what is under way included."""
        if self._store is None:
            return 0, 0.0
        async with self._store.read() as connection:
            row = (await connection.execute(select(SPENDING).where(SPENDING.c.day == day))).first()
        return (0, 0.0) if row is None else (row.tokens, row.money)

    async def aclose(self) -> None:
        """Wait until what ended is counted."""
        await asyncio.gather(*self._settling)

    @property
    def _daily(self) -> bool:
        limited = self._config.day_tokens is not None or self._config.day_money is not None
        return self._store is not None and limited

    def _money(self, usage: Usage, model: str, most_of: str = "") -> float:
        price = self._prices.get(model) or self._prices.get(most_of)
        if price is None:
            if self._config.counts_money:
                raise ModelError(f"{model}: no price, so its budget can't be kept; add it", Cause.BUDGET)
            return 0.0
        return price.of(usage)

    def _check_request(self, asker: Asker, tokens: int, money: float) -> None:
        most = self._config.request_tokens
        if most is not None and asker.tokens + tokens > most:
            raise ModelError(f"a request may take {most} tokens: this call might pass that", Cause.BUDGET)
        dearest = self._config.request_money
        if dearest is not None and asker.money + money > dearest:
            raise ModelError(f"a request may cost {dearest:g}: this call might pass that", Cause.BUDGET)

    async def _take(self, day: str, tokens: int, money: float) -> None:
        if not self._daily:
            return
        try:
            await self._add(day, tokens, money, hold=True)
        except _Over as error:
            raise ModelError(f"the budget of {day} would be passed", Cause.BUDGET) from error
        except StoreError as error:
            raise ModelError("the store does not tell what the day's budget holds", Cause.BUDGET) from error

    async def _add(self, day: str, tokens: int, money: float, *, hold: bool) -> None:
        """Add to the day; _Over, and nothing added, when `hold` and a limit would be passed."""
        assert self._store is not None
        insert = self._store.insert(SPENDING)
        statement = insert.on_conflict_do_update(
            index_elements=["day"],
            set_={
                "tokens": SPENDING.c.tokens + insert.excluded.tokens,
                "money": SPENDING.c.money + insert.excluded.money,
            },
        ).returning(SPENDING.c.tokens, SPENDING.c.money)
        config = self._config
        async with self._store.write() as connection:
            values = {"day": day, "tokens": tokens, "money": money}
            row = (await connection.execute(statement, values)).one()
            over = (config.day_tokens is not None and row.tokens > config.day_tokens) or (
                config.day_money is not None and row.money > config.day_money
            )
            if hold and over:
                raise _Over

    async def _correct(self, day: str, tokens: int, money: float) -> None:
        try:
            await self._add(day, tokens, money, hold=False)
        except StoreError as error:
            _log.warning("budget: %d tokens too many stay counted: %s", -tokens, error)


class _Over(Exception):
    pass


def _tokens(usage: Usage) -> int:
    return usage.prompt + usage.completion


class LimitedModel:
    """`model` within a budget. Unbound, every call is a request of its own."""

    def __init__(self, model: ChatModel, budget: Budget, asker: Asker | None = None) -> None:
        self.model, self._budget, self._asker = model, budget, asker
        self.name, self.weight = model.name, model.weight

    @property
    def identity(self) -> str | None:
        return getattr(self.model, "identity", None)

    def bound(self, asker: Asker) -> LimitedModel:
        return LimitedModel(bound(self.model, asker), self._budget, asker)

    async def capabilities(self, deadline: Deadline) -> Capabilities:
        return await self.model.capabilities(deadline)

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling,
        deadline: Deadline,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        most = Usage(estimate_tokens(messages, CHARACTERS_PER_TOKEN), sampling.max_tokens)
        return await self._paid(
            most,
            deadline,
            lambda: self.model.chat(messages, sampling=sampling, deadline=deadline, schema=schema),
            lambda reply: (reply.usage, reply.model),
        )

    async def label_scores(
        self, prompts: Sequence[Sequence[Message]], *, labels: Sequence[str], deadline: Deadline
    ) -> list[LabelScores]:
        if not prompts:
            return []
        prompt = sum(estimate_tokens(messages, CHARACTERS_PER_TOKEN) for messages in prompts)
        return await self._paid(
            Usage(prompt, len(prompts)),
            deadline,
            lambda: self.model.label_scores(prompts, labels=labels, deadline=deadline),
            lambda found: (sum((score.usage for score in found), Usage()), found[0].model),
        )

    async def count(self, messages: Sequence[Message]) -> int:
        return await self.model.count(messages)

    async def aclose(self) -> None:
        await self._budget.aclose()
        await self.model.aclose()

    async def _paid(
        self,
        most: Usage,
        deadline: Deadline,
        ask: Callable[[], Awaitable[Any]],
        used: Callable[[Any], tuple[Usage, str]],
    ) -> Any:
        served = (await self.model.capabilities(deadline)).model
        async with self._budget.spend(self._asker or Asker(), most, served) as bill:
            answer = await ask()
            usage, bill.model = used(answer)
            # An endpoint that does not count is taken at its estimate.
            bill.usage = usage if usage.prompt else most
        return answer
