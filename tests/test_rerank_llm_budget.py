"""No call goes out that might pass a budget, however many ask at once; what was not used is given back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recall.errors import ConfigError, ModelError
from recall.store import Store, open_store
from rerank.llm.asker import Asker
from rerank.llm.budget import Budget, LimitedModel
from rerank.llm.limits_config import BudgetConfig
from rerank.llm.scripted import ScriptedModel
from rerank.types import Cause, ChatModel, Deadline, Message, Reply, Sampling, Usage

DAY = 1_800_000_000.0  # 2027-01-15


async def say(model: ChatModel, tokens: int = 10, characters: int = 30) -> Reply:
    """At most 4 + characters / 3 prompt tokens and `tokens` of the answer."""
    ask = (Message("user", "x" * characters),)
    return await model.chat(ask, sampling=Sampling(tokens), deadline=Deadline.after(10))


def counting(prompt: int = 14, completion: int = 4, delay: float = 0.0) -> ScriptedModel:
    return ScriptedModel(lambda asked: Reply("x", "scripted", Usage(prompt, completion)), delay=delay)


async def refused(call: Any) -> bool:
    try:
        await call
    except ModelError as error:
        assert error.cause == Cause.BUDGET
        return True
    return False


async def test_the_calls_of_one_request_share_its_tokens() -> None:
    model = counting()
    limited = LimitedModel(model, Budget(BudgetConfig(request_tokens=60), None))
    mine, other = limited.bound(Asker("ann")), limited.bound(Asker("ann"))
    assert [await refused(say(mine)) for _ in range(4)] == [False, False, False, True]  # 18 each, 24 at most
    assert not await refused(say(other))
    assert len(model.asked) == 4


async def test_calls_at_the_same_time_count_what_they_may_use() -> None:
    limited = LimitedModel(counting(delay=0.1), Budget(BudgetConfig(request_tokens=60), None)).bound(Asker())
    assert sum(await asyncio.gather(*(refused(say(limited)) for _ in range(5)))) == 3


async def test_the_day_is_shared_by_processes_and_never_passed(store: Store) -> None:
    config = BudgetConfig(day_tokens=100)
    budgets = [Budget(config, store, clock=lambda: DAY) for _ in range(2)]
    models = [LimitedModel(counting(delay=0.2), budget) for budget in budgets]
    calls = [refused(say(models[number % 2])) for number in range(10)]
    assert sum(await asyncio.gather(*calls)) == 6  # four times 24 at most at once
    for budget in budgets:
        await budget.aclose()
    assert await budgets[0].spent("2027-01-15") == (4 * 18, 0.0)
    assert [await refused(say(models[0])) for _ in range(2)] == [False, True]
    for budget in budgets:
        await budget.aclose()
    await store.aclose()


async def test_the_next_day_begins_at_midnight_utc(store: Store) -> None:
    now = [DAY]
    budget = Budget(BudgetConfig(day_tokens=30), store, clock=lambda: now[0])
    model = LimitedModel(counting(), budget)
    assert [await refused(say(model)) for _ in range(2)] == [False, True]
    now[0] += 86_400
    assert not await refused(say(model))
    await budget.aclose()
    await store.aclose()


def priced(folder: Path, **limits: float) -> BudgetConfig:
    file = folder / "prices.toml"
    file.write_text('[models."scripted"]\nprompt = 1000\ncompletion = 10000\n')
    return BudgetConfig(prices=file, **limits)


async def test_money_goes_by_the_price_file(store: Store, tmp_path: Path) -> None:
    budget = Budget(priced(tmp_path, day_money=0.2), store, clock=lambda: DAY)  # a call: 0.114 at most, 0.054
    model = LimitedModel(counting(), budget)
    assert not await refused(say(model))
    await budget.aclose()
    assert await budget.spent("2027-01-15") == (18, pytest.approx(0.054))
    assert [await refused(say(model)) for _ in range(2)] == [False, True]
    await budget.aclose()
    await store.aclose()


async def test_a_model_without_a_price_is_not_asked_where_money_is_limited(tmp_path: Path) -> None:
    model = ScriptedModel(lambda asked: "x", name="unpriced")
    limited = LimitedModel(model, Budget(priced(tmp_path, request_money=1.0), None))
    with pytest.raises(ModelError, match="unpriced: no price") as failure:
        await say(limited)
    assert failure.value.cause == Cause.BUDGET
    assert model.asked == []


def test_money_without_a_price_file_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match="prices"):
        Budget(BudgetConfig(day_money=1.0), None)


@pytest.mark.parametrize(
    ("cause", "left"), [(Cause.CONNECTION, 0), (Cause.RATE_LIMITED, 0), (Cause.DEADLINE, 14)]
)
async def test_a_call_that_fails_counts_its_prompt_only_where_it_may_be_billed(
    store: Store, cause: Cause, left: int
) -> None:
    def fail(asked: Any) -> str:
        raise ModelError("no", cause)

    budget = Budget(BudgetConfig(day_tokens=100), store, clock=lambda: DAY)
    with pytest.raises(ModelError):
        await say(LimitedModel(ScriptedModel(fail), budget))
    await budget.aclose()
    assert (await budget.spent("2027-01-15"))[0] == left
    await store.aclose()


async def test_where_the_store_does_not_tell_nothing_is_spent(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'none.db'}") as store:  # no schema
        model = counting()
        assert await refused(say(LimitedModel(model, Budget(BudgetConfig(day_tokens=100), store))))
        assert model.asked == []


@pytest.mark.parametrize("ask", [lambda m: m.name, lambda m: m.weight], ids=["name", "weight"])
def test_a_limited_model_looks_like_the_one_inside(ask: Callable[[Any], Any]) -> None:
    model = counting()
    assert ask(LimitedModel(model, Budget(BudgetConfig(request_tokens=1), None))) == ask(model)
