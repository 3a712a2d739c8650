"""A model's word on a doubtful pair counts only where it says the same both ways round."""

from __future__ import annotations

import pytest

from recall.errors import ModelError
from rerank.llm.scripted import Asked, ScriptedModel
from rerank.same_work import SCHEMA, parse_same, same_work
from rerank.types import Cause, Deadline

ONE = {"title": "The Boat That Rocked", "year": 2009, "categories": ["Comedy"], "creators": None}
OTHER = {"title": "Pirate Radio", "year": 2009, "categories": None, "creators": ["Richard Curtis"]}


async def test_two_equal_answers_decide_and_the_entries_change_places() -> None:
    model = ScriptedModel(lambda asked: '{"same": "yes"}')
    found = await same_work(model, ONE, OTHER, Deadline.after(5))
    assert (found.same, found.cause) == (True, None)
    first, second = (asked.messages[-1].content for asked in model.asked)
    assert first.index("Rocked") < first.index("Pirate") and second.index("Pirate") < second.index("Rocked")
    assert [asked.schema for asked in model.asked] == [SCHEMA, SCHEMA]


async def test_a_model_that_changes_its_mind_with_the_order_decides_nothing() -> None:
    def answer(asked: Asked) -> str:
        said = asked.messages[-1].content
        return '{"same": "yes"}' if said.index("Rocked") < said.index("Pirate") else '{"same": "no"}'

    assert (await same_work(ScriptedModel(answer), ONE, OTHER, Deadline.after(5))).same is None


async def test_one_unsure_answer_leaves_it_open_without_a_second_call() -> None:
    model = ScriptedModel(lambda asked: '{"same": "unsure"}')
    assert (await same_work(model, ONE, OTHER, Deadline.after(5))).same is None
    assert len(model.asked) == 1


async def test_a_failed_call_leaves_it_open_and_says_why() -> None:
    def fail(asked: Asked) -> str:
        raise ModelError("gone", Cause.CONNECTION)

    found = await same_work(ScriptedModel(fail), ONE, OTHER, Deadline.after(5))
    assert (found.same, found.cause) == (None, Cause.CONNECTION)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"same": "no"}', "no"),
        ('Sure!\n```json\n{"same": "yes"}\n```', "yes"),
        ('{"same": "yes"} or {"same": "no"}', "unsure"),
        ('{"same": true}', "unsure"),
        ('["same"]', "unsure"),
        ("yes", "unsure"),
        ("", "unsure"),
    ],
)
def test_an_answer_is_read_or_unsure(text: str, said: str) -> None:
    assert parse_same(text) == said
