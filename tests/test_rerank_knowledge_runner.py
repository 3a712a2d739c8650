"""A batch of extractions asks for what is new, saves as it goes, and stays within its limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from recall.errors import ConfigError, ModelError
from recall.store import open_store
from rerank.knowledge.runner import FAILURES, TRIES, Limits, Report, run
from rerank.knowledge.store import Extraction
from rerank.knowledge.subjects import Ended, Found, Question, Subject
from rerank.llm.budget import Budget, LimitedModel
from rerank.llm.limits_config import BudgetConfig
from rerank.llm.prices import Price
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.types import Cause, ChatModel, Message, Reply, Usage

SCHEMA: dict[str, Any] = {"type": "object"}


def subjects(n: int) -> list[Subject[str]]:
    return [Subject(f"i{number}", f"in{number}", "pr", f"text {number}") for number in range(n)]


class Shelf:
    """What a run saved, by subject; None where it gave up."""

    def __init__(self, earlier: dict[str, Extraction] | None = None) -> None:
        self.earlier = dict(earlier or {})
        self.values: dict[str, str | None] = {}
        self.calls: dict[str, int] = {}
        self.groups: list[int] = []
        """How many were saved together."""
        self.seconds = 0.0

    async def ask(self, subject: Subject[str]) -> Question | None:
        return Question((Message("user", subject.what),), SCHEMA, 10) if subject.what else None

    def read(self, subject: Subject[str], reply: Reply) -> Found[str] | None:
        return Found(reply.text, {"empty": 1}) if reply.text.startswith("fact") else None

    async def save(self, group: Sequence[Ended[str, str]]) -> list[bool]:
        await asyncio.sleep(self.seconds)
        self.groups.append(len(group))
        for settled, found in group:
            self.values[settled.subject.id] = None if found is None else found.value
            self.calls[settled.subject.id] = settled.calls
            self.earlier[settled.subject.id] = settled.extraction("damaged" if found is None else "done")
        return [True] * len(group)

    async def run(self, what: list[Subject[str]], model: ChatModel, **options: Any) -> Report:
        made = options.pop("empty", lambda: Found("nothing"))
        return await run(
            what, self.ask, self.read, self.save, model=model, earlier=self.earlier, empty=made, **options
        )


def saying(answer: Callable[[Asked], str | Reply] = lambda asked: "fact", **options: Any) -> ScriptedModel:
    return ScriptedModel(answer, **options)


async def test_a_second_run_asks_nothing_and_a_changed_subject_is_asked_alone() -> None:
    shelf, model = Shelf(), saying()
    first = await shelf.run(subjects(10), model)
    assert (first.done, first.skipped, first.calls, first.stopped) == (10, 0, 10, None)
    assert first.dropped == {"empty": 10} and first.tokens > 0 and first.cost is None
    second = await shelf.run(subjects(10), model)
    assert (second.done, second.skipped, second.calls) == (0, 10, 0)
    changed = subjects(10)
    changed[3] = replace(changed[3], input_hash="other")
    third = await shelf.run(changed, model)
    assert (third.done, third.skipped, len(model.asked)) == (1, 9, 11)
    assert (await shelf.run(subjects(10), saying(name="another"))).done == 10


async def test_a_damaged_reply_is_asked_for_again_with_another_seed() -> None:
    def once(asked: Asked) -> str:
        assert asked.sampling is not None
        return "fact" if asked.sampling.seed else "<html>"

    shelf, model = Shelf(), saying(once)
    report = await shelf.run(subjects(3), model)
    assert (report.done, report.damaged, report.given_up, report.calls) == (3, 3, 0, 6)
    assert shelf.calls == {"i0": 2, "i1": 2, "i2": 2}


async def test_what_is_damaged_every_time_is_given_up_and_left_alone_until_asked_for() -> None:
    shelf, model = Shelf(), saying(lambda asked: "garbage")
    report = await shelf.run(subjects(2), model)
    assert (report.done, report.given_up, report.damaged) == (0, 2, 2 * TRIES)
    assert shelf.values == {"i0": None, "i1": None}
    assert (await shelf.run(subjects(2), model)).calls == 0
    assert (await shelf.run(subjects(2), saying(), again=True)).done == 2


async def test_a_subject_with_nothing_to_ask_costs_no_call() -> None:
    shelf, model = Shelf(), saying()
    report = await shelf.run([replace(subjects(1)[0], what="")], model)
    assert (report.done, report.calls, shelf.values) == (1, 0, {"i0": "nothing"})


async def test_a_transport_failure_is_tried_again_and_leaves_the_subject_for_the_next_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rerank.knowledge.runner.FIRST_WAIT", 0.001)
    fails = iter([Cause.SERVER_ERROR])

    def shaky(asked: Asked) -> str:
        if (cause := next(fails, None)) is not None:
            raise ModelError("no", cause)
        return "fact"

    shelf = Shelf()
    report = await shelf.run(subjects(2), saying(shaky), concurrency=1)
    assert (report.done, report.failed, report.calls) == (2, 0, 3)

    def dead(asked: Asked) -> str:
        raise ModelError("refused", Cause.CONNECTION)

    shelf = Shelf()
    report = await shelf.run(subjects(9), saying(dead), concurrency=1)
    assert report.calls == FAILURES and report.done == 0 and shelf.values == {}
    assert report.stopped is not None and "refused" in report.stopped


async def test_a_question_too_long_for_the_model_is_given_up_at_once() -> None:
    def long(asked: Asked) -> str:
        raise ModelError("too long", Cause.CONTEXT)

    shelf = Shelf()
    report = await shelf.run(subjects(7), saying(long))
    assert (report.calls, report.given_up, report.stopped) == (7, 7, None)


async def test_money_is_never_passed_however_many_calls_are_under_way() -> None:
    prices = {"scripted": Price(prompt=0, completion=100_000)}  # 0.1 a token: 1 a call at most, 0.4 really
    model = saying(lambda asked: Reply("fact", "scripted", Usage(5, 4)), delay=0.01)
    shelf = Shelf()
    report = await shelf.run(subjects(50), model, limits=Limits(cost=3.0), prices=prices, concurrency=8)
    assert report.cost is not None and 1.0 <= report.cost <= 3.0
    assert report.done == len(shelf.values) < 50 and "3" in (report.stopped or "")
    rest = await shelf.run(subjects(50), model, prices=prices)
    assert rest.done == 50 - report.done and rest.skipped == report.done


async def test_limited_money_needs_a_price() -> None:
    with pytest.raises(ConfigError, match="scripted: no price"):
        await Shelf().run(subjects(1), saying(), limits=Limits(cost=1.0))


async def test_the_budget_of_the_day_ends_a_run(tmp_path: Any) -> None:
    limited = LimitedModel(saying(), Budget(BudgetConfig(request_tokens=5), None))
    report = await Shelf().run(subjects(3), limited)
    assert report.done == 0 and (report.stopped or "").startswith("the budget is spent")


async def test_minutes_end_a_run_with_its_calls() -> None:
    report = await Shelf().run(subjects(9), saying(delay=60.0), limits=Limits(minutes=0.002))
    assert report.done == 0 and "minutes" in (report.stopped or "") and report.seconds < 30


async def test_a_limit_of_subjects_counts_those_that_are_asked() -> None:
    shelf, model = Shelf(), saying()
    for done in (4, 4, 2):
        assert (await shelf.run(subjects(10), model, limits=Limits(subjects=4))).done == done


async def test_a_run_that_is_stopped_keeps_what_it_saves_and_goes_on_later() -> None:
    stop, shelf = asyncio.Event(), Shelf()

    def third(asked: Asked) -> str:
        if asked.messages[0].content == "text 3":
            stop.set()
        return "fact"

    model = saying(third, delay=0.001)
    report = await shelf.run(subjects(100), model, stop=stop, concurrency=2)
    assert report.stopped == "interrupted" and 2 <= report.done < 100
    assert report.done == len(shelf.values)
    assert (await shelf.run(subjects(100), model)).done == 100 - report.done


async def test_those_that_end_during_a_transaction_share_the_next_one() -> None:
    shelf = Shelf()
    shelf.seconds = 0.02
    report = await shelf.run(subjects(40), saying(), concurrency=20)
    assert report.done == 40 and sum(shelf.groups) == 40 and max(shelf.groups) > 5


async def test_one_that_cannot_be_saved_takes_no_other_along() -> None:
    shelf, kept = Shelf(), Shelf()

    async def save(group: Sequence[Ended[str, str]]) -> list[bool]:
        await asyncio.sleep(0.01)
        if any(settled.subject.id == "i3" for settled, _ in group):
            raise ValueError("i3")
        return await kept.save(group)

    model = saying(delay=0.001)
    with pytest.raises(ValueError, match="i3"):
        await run(subjects(8), shelf.ask, shelf.read, save, model=model, earlier={}, concurrency=8)
    assert set(kept.values) == {f"i{number}" for number in range(8) if number != 3}


async def test_a_store_that_is_down_is_not_tried_for_each_of_a_group() -> None:
    from recall.errors import StoreError

    tried, shelf = 0, Shelf()

    async def save(group: Sequence[Ended[str, str]]) -> list[bool]:
        nonlocal tried
        tried += 1
        await asyncio.sleep(0.01)
        raise StoreError("locked")

    with pytest.raises(StoreError, match="locked"):
        await run(subjects(8), shelf.ask, shelf.read, save, model=saying(), earlier={}, concurrency=8)
    assert tried <= 2


async def test_a_store_that_fails_ends_the_run_with_its_error(tmp_path: Any) -> None:
    from recall.errors import StoreError
    from rerank.knowledge.store import save_facts

    async with open_store(f"sqlite:///{tmp_path / 'none.db'}") as store:  # no schema

        async def save(group: Sequence[Ended[str, str]]) -> list[bool]:
            for settled, _ in group:
                await save_facts(store, settled.subject.id, "in", "pr", "m", [])
            return [True] * len(group)

        shelf = Shelf()
        with pytest.raises(StoreError, match="schema is missing"):
            await run(subjects(3), shelf.ask, shelf.read, save, model=saying(), earlier={})
